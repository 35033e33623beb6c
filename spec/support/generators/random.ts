/** Random numbers from 0 up to 1 (mulberry32). The same seed gives the same numbers, so that a failed run can be repeated. */
export function randomNumbers(seed: number): () => number {
  let state = seed;

  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;

    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Picks a value with a random number. */
export function randomPick(random: () => number): <Value>(values: readonly Value[]) => Value {
  return values => values[Math.floor(random() * values.length)]!;
}
