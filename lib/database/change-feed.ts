/** Reports changed tenants inside this process: its own changes at once, those of others when the database reports them. */
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

  /** `listener` is called with the old and the new schema names of the changed tenants, or with none if it is not known which changed. */
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
