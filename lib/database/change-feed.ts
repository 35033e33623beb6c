/** Tells the parts of this process of tenants that have changed: those that it has changed itself at once, others when the database tells. */
export class ChangeFeed {
  readonly #listeners: ChangeListener[] = [];
  #isTrusted: Trust = () => false;

  /** Has `isTrusted` decide what `isTrusted()` answers. */
  trust(isTrusted: Trust): void {
    this.#isTrusted = isTrusted;
  }

  /** Whether an answer of the database from `askedAt` still holds, unless a change was told since. */
  isTrusted(askedAt: number): boolean {
    return this.#isTrusted(askedAt, performance.now());
  }

  /** `listener` gets the schema names that the changed tenants had and have; none where it is not known which have changed. */
  subscribe(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  publish(...schemaNames: readonly string[]): void {
    this.#listeners.forEach(listener => listener(...schemaNames));
  }
}

/** Both are values of `performance.now()`. */
type Trust = (askedAt: number, now: number) => boolean;

type ChangeListener = (...schemaNames: readonly string[]) => void;
