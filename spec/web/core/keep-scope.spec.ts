import { AsyncLocalStorage } from 'node:async_hooks';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import { keepFlow } from '../../../dist/scope/async-flow.js';
import { readInThisContext } from '../../../dist/scope/read-in-scope.js';
import { exposeTenant } from '../../../dist/web/core/found-tenant.js';
import { keepScopeOfBody, keepScopeOfPipes, keepScopeOfStream, keepScopeOfWebStream } from '../../../dist/web/core/keep-scope.js';
import { mount } from '../../../dist/web/express/mount.js';

describe('What a request is given', () => {
  const storage = new AsyncLocalStorage<unknown>();

  const request = (): Request =>
    Object.assign(new IncomingMessage(new Socket()), { url: '/t/acme/books', baseUrl: '', body: storage.getStore() }) as Request;

  const KEEPERS: Readonly<Record<string, () => unknown>> = {
    keepFlow,
    keepScopeOfBody: () => keepScopeOfBody(Object.assign(request(), { headers: { 'content-length': '1' } })),
    keepScopeOfPipes: () => keepScopeOfPipes(new ServerResponse(request())),
    keepScopeOfStream: () => keepScopeOfStream(new Readable({ read: () => undefined })),
    keepScopeOfWebStream: () => keepScopeOfWebStream(new ReadableStream()),
    exposeTenant: () => exposeTenant(request(), { tenant: storage.getStore() } as never),
    mount: () => mount(request(), new ServerResponse(request()) as Response, '/t/acme'),
    readInThisContext: () => readInThisContext((async function* () {})()),
  };

  for (const [name, keep] of Object.entries(KEEPERS)) {
    it(`E1 ${name} leaves the request to the next garbage collection of young objects`, async () => {
      const visit = (): unknown =>
        storage.run(
          Array.from({ length: ELEMENTS }, () => 1),
          keep,
        );
      visit();
      const before = heap('major');

      for (let request = 0; request < REQUESTS; request += 1) {
        visit();
        // what a stream has still to do holds it until then
        await setImmediate();
      }

      // what has survived two is old
      heap('minor');
      expect(heap('minor') - before).to.be.below((REQUESTS * ELEMENTS * BYTES_OF_ELEMENT) / 4);
    });
  }
});

describe('The body of a request', () => {
  const storage = new AsyncLocalStorage<string>();

  const bound = (headers: Record<string, string>, httpVersionMajor = 1): [IncomingMessage, string[]] => {
    const req = Object.assign(new IncomingMessage(new Socket()), { headers, httpVersionMajor });
    const seen: string[] = [];
    req.on('own', (value: string) => seen.push(`${storage.getStore()} ${value}`));
    storage.run('first', () => keepScopeOfBody(req));

    return [req, seen];
  };

  for (const [why, headers, version] of [
    ['has a length', { 'content-length': '12' }, 1],
    ['comes in chunks', { 'transfer-encoding': 'chunked' }, 1],
    ['is of HTTP/2', {}, 2],
  ] as const) {
    it(`E1 S3 has its events in the scope that it was bound to last, where it ${why}`, () => {
      const [req, seen] = bound(headers, version);
      req.emit('own', 'a');
      storage.run('second', () => keepScopeOfBody(req));
      expect(storage.run('other', () => req.emit('own', 'b'))).to.equal(true);
      expect(req.emit('nobody listens')).to.equal(false);

      expect(seen).to.deep.equal(['first a', 'second b']);
    });
  }

  for (const headers of [{}, { 'content-length': '0' }]) {
    it(`S3 costs nothing where there is none (${JSON.stringify(headers)})`, () => {
      const [req, seen] = bound(headers);
      req.emit('own', 'a');

      expect(Object.hasOwn(req, 'emit')).to.equal(false);
      expect(seen).to.deep.equal(['undefined a']);
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
