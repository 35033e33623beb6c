/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32), so that a run that fails can be run again. */
export function randomNumbers(seed: number): () => number {
  let state = seed;

  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;

    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Picks one of some values, by such numbers. */
export function randomPick(random: () => number): <Value>(values: readonly Value[]) => Value {
  return values => values[Math.floor(random() * values.length)]!;
}
