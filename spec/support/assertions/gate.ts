/** A gate that waiting callers pass one by one, in order of arrival. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #passes = 0;

  get waiting(): number {
    return this.#waiting.length;
  }

  async pass(): Promise<void> {
    if (this.#passes > 0) {
      this.#passes--;
      return;
    }

    await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  /** Opens the gate for the next caller, who may not be waiting yet. */
  open(): void {
    const next = this.#waiting.shift();

    if (next === undefined) {
      this.#passes++;
    } else {
      next();
    }
  }
}
