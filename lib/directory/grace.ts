/** How long an answer may be out of date, in milliseconds (guarantee H10). */
export const GRACE_MS = 1_000;
