// Draws the page once, then on every change of the filter.
drawHead();
drawBar();
const parts = [sliderSection(), figuresSection(), comparedSection(), distributionsSection(), marginsSection(), agreementSection(), lengthSection(),
  sharesSection(), rewardsSection(), issuesSection(), pairsSection()].filter(Boolean);
replace(document.getElementById("main"), parts);
replace(document.getElementById("nav"), parts.map((part) => h("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)));
replace(document.getElementById("foot"), h("p", {}, `Made by curate ${doc.head.version}. All figures are over all ${whole(doc.head.rows)} rows, `
  + `except those marked ≈ and the cells of two columns, which are from ${whole(sample.rows)}.`));
changed();
say("");
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView({ behavior: "instant" });
