/**
 * The values that `produce` gives, one after the other: `give` settles when the next one is wanted. If nobody wants more, it rejects with
 * `Stopped`, so that `produce` cleans up.
 */
export async function* handOver<Value>(produce: (give: (value: Value) => Promise<void>) => Promise<void>): AsyncGenerator<Value, void> {
  let offer: (next: Offer<Value>) => void = () => undefined;
  let offered = new Promise<Offer<Value>>(resolve => (offer = resolve));
  const give = (value: Value): Promise<void> => new Promise((taken, stop) => offer({ value, taken, stop }));
  const done = produce(give).then(
    () => offer(ENDED),
    (error: unknown) => (error === STOPPED ? offer(ENDED) : offer({ error })),
  );
  let current: Offer<Value> | undefined;

  try {
    for (;;) {
      current = await offered;

      if (!('value' in current)) {
        if ('error' in current) {
          throw current.error;
        }

        return;
      }

      offered = new Promise<Offer<Value>>(resolve => (offer = resolve));
      yield current.value;
      current.taken();
      current = undefined;
    }
  } finally {
    if (current !== undefined && 'stop' in current) {
      current.stop(STOPPED);
      await done;
    }
  }
}

const STOPPED = new Error('Nobody reads on.');

const ENDED = {};

type Offer<Value> =
  | { readonly value: Value; readonly taken: () => void; readonly stop: (reason: Error) => void }
  | { readonly error: unknown }
  | Record<never, never>;
