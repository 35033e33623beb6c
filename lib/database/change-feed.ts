/** Tells the parts of this process of tenants that have changed: those that it has changed itself at once, others when the database tells. */
export class ChangeFeed {
  readonly #listeners: ChangeListener[] = [];

  /** `listener` gets the schema names that the changed tenants had and have; none where it is not known which have changed. */
  subscribe(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  publish(...schemaNames: readonly string[]): void {
    this.#listeners.forEach(listener => listener(...schemaNames));
  }
}

type ChangeListener = (...schemaNames: readonly string[]) => void;
