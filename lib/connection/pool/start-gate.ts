/** What an ORM has to wait for before it sends anything, by its config. */
const gates = new WeakMap<object, Promise<void>>();

/** Has an ORM send nothing until the promise is resolved. Where it is rejected, everything that the ORM is to send fails with that. */
export function sendNothingBefore(config: object, ready: Promise<void>): void {
  gates.set(config, ready);
  ready.then(
    () => gates.delete(config),
    () => undefined,
  );
}

/** Undefined where there is nothing to wait for. */
export function gateOf(config: object): Promise<void> | undefined {
  return gates.get(config);
}
