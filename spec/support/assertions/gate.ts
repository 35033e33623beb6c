/** Lets those who wait at it pass one by one, in the order they came. */
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

  /** For the next one, who may be yet to come. */
  open(): void {
    const next = this.#waiting.shift();

    if (next === undefined) {
      this.#passes++;
    } else {
      next();
    }
  }
}
