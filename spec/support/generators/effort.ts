/** How far a search goes: less in each run of all specs, and more with `npm run test:search`. */
export function effort(inEachRun: number, inSearch: number): number {
  return process.env['SPEC_SEARCH'] === undefined ? inEachRun : inSearch;
}

/** As many of these as a run takes, by turns: others for the next `turn`. All of them with `npm run test:search`. */
export function turnsOf<Item>(items: readonly Item[], turn: number, count: number): readonly Item[] {
  const taken = effort(Math.min(count, items.length), items.length);
  const from = (turn * taken) % items.length;

  return [...items, ...items].slice(from, from + taken);
}
