/** Reports changed tenants inside this process, without waiting for the notice from the database. */
export class ChangeFeed {
  readonly #listeners: ChangeListener[] = [];

  /** `listener` is called with the old and the new schema names of the changed tenants, or with none if it is not known which changed. */
  subscribe(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  publish(...schemaNames: readonly string[]): void {
    this.#listeners.forEach(listener => listener(...schemaNames));
  }
}

type ChangeListener = (...schemaNames: readonly string[]) => void;
