/** For how long an answer may be wrong, in milliseconds: H10. */
export const GRACE_MS = 1_000;
