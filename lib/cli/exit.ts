/** What the process exits with. */
export const EXIT = {
  done: 0,
  /** Some tenants failed or were not begun, or `check` found something to do. */
  failed: 1,
  /** What was asked for cannot be done, and nothing was run. */
  refused: 2,
  /** Ended by a second signal, as a shell counts it. */
  interrupted: 130,
} as const;
