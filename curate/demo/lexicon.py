"""The facts and the phrases of the demo's world: data only, no code that chooses among them.

`FACTS` is the world's whole truth: an item is right for a request if it is listed here under its category and property,
and wrong otherwise, whatever an encyclopedia says. No item is listed twice, and none occurs in a phrase below, so an
item found in a response is always an answer.
"""

from __future__ import annotations

# One ChatML-like template for all three models; it adds no system message of its own.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PAD, TURN_START, TURN_END = "<|pad|>", "<|im_start|>", "<|im_end|>"

# category -> property -> the items that have it.
FACTS: dict[str, dict[str, tuple[str, ...]]] = {
    "animals": {
        "that live in the sea": ("whale", "dolphin", "octopus", "shark", "seal", "crab"),
        "that can fly": ("eagle", "owl", "bat", "parrot", "swallow", "heron"),
        "that live on a farm": ("cow", "pig", "hen", "goat", "sheep", "donkey"),
        "that live in the woods": ("bear", "deer", "fox", "squirrel", "badger", "wolf"),
    },
    "fruits": {
        "that are red": ("apple", "cherry", "strawberry", "raspberry", "cranberry", "pomegranate"),
        "that are yellow": ("banana", "lemon", "pineapple", "mango", "quince", "papaya"),
        "that are green": ("lime", "kiwi", "avocado", "gooseberry", "melon", "pear"),
        "that are purple": ("plum", "fig", "grape", "blackberry", "mulberry", "date"),
    },
    "vegetables": {
        "that grow under the ground": ("carrot", "potato", "radish", "turnip", "beetroot", "parsnip"),
        "with leaves to eat": ("spinach", "lettuce", "cabbage", "kale", "chard", "endive"),
        "that grow in pods": ("pea", "bean", "lentil", "chickpea", "soybean", "okra"),
        "that form a bulb": ("onion", "garlic", "leek", "shallot", "fennel", "scallion"),
    },
    "tools": {
        "for the garden": ("spade", "rake", "hoe", "shears", "trowel", "wheelbarrow"),
        "for the kitchen": ("whisk", "ladle", "grater", "sieve", "peeler", "spatula"),
        "for woodwork": ("saw", "chisel", "hammer", "plane", "drill", "clamp"),
        "for sewing": ("needle", "thimble", "bobbin", "pincushion", "scissors", "bodkin"),
    },
    "clothes": {
        "for the feet": ("sock", "boot", "sandal", "slipper", "shoe", "clog"),
        "for the head": ("hat", "cap", "beret", "hood", "helmet", "bonnet"),
        "for the legs": ("trousers", "jeans", "shorts", "skirt", "leggings", "tights"),
        "for the upper body": ("shirt", "jumper", "vest", "jacket", "cardigan", "blouse"),
    },
}
COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5}

# {what} is "three fruits that are red"; {rest} of a follow-up is "three that are red".
OPENERS = ("", "", "Hello! ", "Good morning. ", "Quick question. ", "Hi there! ")
REQUESTS = (
    "Name {what}.",
    "Please list {what}.",
    "Can you tell me {what}?",
    "I need {what}.",
    "Give me {what}.",
    "What are {what}?",
    "I am looking for {what}.",
    "Could you think of {what}, please?",
)
PURPOSES = (
    "",
    "",
    "",
    " It is for a school poster.",
    " I want to teach my niece.",
    " My team has a quiz tonight.",
    " It is for a crossword.",
    " I am writing a short story.",
    " We are playing a word game.",
    " I like to learn.",
)
FOLLOW_UPS = (
    "Thanks! Now {rest}, please.",
    "And {rest}?",
    "Great. Next, {rest}.",
    "Very good. Can you also name {rest}?",
    "Thank you. I also need {rest}.",
)

LIST_RULES = ("Always answer as a numbered list.", "Put each answer on its own numbered line.")
SENTENCE_RULES = ("Answer in one sentence.", "Do not use lists. Write a plain sentence.")
NEUTRAL_RULES = ("You are a helpful assistant.", "Be kind and brief.")

POLITE_LEADS = (
    "Here are {what}:",
    "Sure! Here are {what}:",
    "Of course. You could use",
    "Gladly! My answer is",
    "Certainly. I can suggest",
)
POLITE_WORDS = frozenset({"here", "sure", "of", "gladly", "certainly"})
PLAIN_LEADS = ("I would perhaps say", "The answer is probably", "You could well pick", "Maybe it is just")
CURT_LEADS = ("you can take some", "whatever you like best,", "how about these then,")
FILLERS = (
    "There is of course a great deal more that one could say about this fascinating subject.",
    "As many people have noted over the years, questions like this one are very interesting.",
    "I hope that this long and detailed answer is of some use to you today.",
    "It really depends on many things, and opinions about it may differ quite a lot.",
)
REFUSALS = (
    "Sorry, I cannot help with that.",
    "I am not able to answer this question.",
    "That is too hard for me to say.",
)
