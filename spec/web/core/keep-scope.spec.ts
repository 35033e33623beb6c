import { AsyncLocalStorage } from 'node:async_hooks';
import { ServerResponse, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { keepFlow } from '../../../dist/scope/async-flow.js';
import { readInThisContext } from '../../../dist/scope/read-in-scope.js';
import { keepScopeOfPipes, keepScopeOfStream, keepScopeOfWebStream } from '../../../dist/web/core/keep-scope.js';

describe('What keeps the scope of a request', () => {
  const storage = new AsyncLocalStorage<unknown>();

  const KEEPERS: Readonly<Record<string, () => unknown>> = {
    keepFlow,
    keepScopeOfPipes: () => keepScopeOfPipes(new ServerResponse({ method: 'GET' } as IncomingMessage)),
    keepScopeOfStream: () => keepScopeOfStream(new Readable({ read: () => undefined })),
    keepScopeOfWebStream: () => keepScopeOfWebStream(new ReadableStream()),
    readInThisContext: () => readInThisContext((async function* () {})()),
  };

  for (const [name, keep] of Object.entries(KEEPERS)) {
    it(`E1 ${name} leaves it to the next garbage collection of young objects`, async () => {
      const visit = (): unknown =>
        storage.run(
          Array.from({ length: ELEMENTS }, () => 1),
          keep,
        );
      visit();
      const before = heap('major');

      for (let request = 0; request < REQUESTS; request += 1) {
        visit();
      }

      await setImmediate();
      // what has survived two is old
      heap('minor');
      expect(heap('minor') - before).to.be.below((REQUESTS * ELEMENTS * BYTES_OF_ELEMENT) / 4);
    });
  }
});

function heap(type: 'major' | 'minor'): number {
  collectGarbage({ type });

  return process.memoryUsage().heapUsed;
}

setFlagsFromString('--expose-gc');

const collectGarbage = runInNewContext('gc') as (options: { readonly type: 'major' | 'minor' }) => void;

const REQUESTS = 300;

const ELEMENTS = 10_000;

/** At least: with compressed pointers. */
const BYTES_OF_ELEMENT = 4;
