import { Readable } from 'node:stream';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { callbackify } from 'node:util';
import { currentSchema, currentTenant, type IdentifyOptions, type TenantMixin } from '@landlord/mikro-orm';
import { RequestContext } from '@mikro-orm/core';
import { Genre } from '../../../../fixtures/entities/index.ts';
import type { LibraryOrm } from '../../orm/library-orm.ts';
import { authorsHere } from '../web-library.ts';

/** How the application of a spec is to be served. Every framework serves the same routes. */
export interface EdgeSetup {
  readonly orm: LibraryOrm;
  readonly options?: Omit<IdentifyOptions, 'notFound'> & { readonly notFound?: 'public' };
  /** Whether the parsers of bodies run before the scope is entered, or in it. @default 'after' */
  readonly parsers?: Parsers;
  /** Whether the framework trusts the proxy in front. @default false */
  readonly trustProxy?: boolean;
  /** Whether it is served by HTTP/2, without TLS. @default false */
  readonly http2?: boolean;
  /** The part of the path that is taken off before the route is chosen. Frameworks that `mounts` is true of need nothing for it. */
  readonly stripPath?: string;
  /** Gets what is left of a scope, before and after that of each request. */
  readonly found?: (readonly [when: 'before' | 'after', left: unknown])[];
  /** Gets what a stream reads when its visitor has hung up. */
  readonly ended?: unknown[];
}

export type Parsers = 'before' | 'after';

/** An application of a framework that is being served. */
export interface EdgeServer {
  readonly port: number;
  close(): Promise<unknown>;
}

export interface Framework {
  readonly name: string;
  /** When it can parse a body. */
  readonly parsers: readonly Parsers[];
  readonly hasHttp2: boolean;
  /** Whether one path can be a route of both scopes. */
  readonly hasTwoRouters: boolean;
  /** Whether `byPath()` takes its part off the path. */
  readonly mounts: boolean;
  /** Which of several forwarded hosts counts. */
  readonly forwarded: 'first' | 'last';
  serve(setup: EdgeSetup): Promise<EdgeServer>;
}

/** What a request sees. */
export async function who(orm: LibraryOrm, router: 'public' | 'tenant', { tenant, path }: Seen): Promise<object> {
  const names = router === 'tenant' ? await authorsHere(orm) : (await orm.em.find(Genre, {})).map(({ name }) => name);

  return {
    router,
    path,
    tenant: tenant?.schemaName,
    current: currentTenant()?.schemaName,
    isSame: tenant === currentTenant(),
    schema: currentSchema(),
    names,
  };
}

/** The scope after a wait, without the database. */
export async function scopeHere(): Promise<object> {
  const before = currentSchema();
  await setImmediate();

  return { schema: before, names: [`Ann of ${currentTenant()?.schemaName}`] };
}

/** The same after a body was parsed. */
export async function answerTo(orm: LibraryOrm, body: unknown): Promise<object> {
  return { body, schema: currentSchema(), names: await authorsHere(orm) };
}

/** More than a connection takes at once, so that it is read when the visitor has read some of it. Each part is read in the database. */
export function longStream(orm: LibraryOrm): Readable {
  let part = 0;

  return new Readable({
    read() {
      const schema = currentSchema();

      if (part === PARTS) {
        this.push(null);
        return;
      }

      part += 1;
      authorsHere(orm).then(
        names => this.push(Buffer.from(`${schema} ${names.join()};`.padEnd(65_536, '.'))),
        (error: Error) => this.destroy(error),
      );
    },
  });
}

/** Events, each after a moment. */
export async function* events(orm: LibraryOrm): AsyncGenerator<string> {
  for (let event = 0; event < 3; event += 1) {
    await setTimeout(2);
    yield `${event} ${currentSchema()} ${(await authorsHere(orm)).join()}`;
  }
}

/** A stream that begins and never ends by itself. */
export function endlessStream({ orm, ended = [] }: EdgeSetup): Readable {
  let isBegun = false;

  return new Readable({
    read() {
      if (!isBegun) {
        isBegun = true;
        this.push('begun');
      }
    },
    destroy: (error, callback) => callbackify(async () => ended.push([currentSchema(), await authorsHere(orm)]))(() => callback(error)),
  });
}

/** What is left of a scope. */
export function whatIsLeft(): unknown {
  return { tenant: currentTenant()?.schemaName, schema: currentSchema(), hasEm: RequestContext.getEntityManager() !== undefined };
}

export const NOTHING_LEFT = { tenant: undefined, schema: undefined, hasEm: false };

/** The text of a form's file and field. */
export async function readForm(contentType: string | undefined, body: Readable): Promise<object> {
  const form = await new Response(Readable.toWeb(body) as never, { headers: { 'content-type': String(contentType) } }).formData();

  return textOfForm(form);
}

export async function textOfForm(form: FormData): Promise<object> {
  return { name: form.get('name'), file: await (form.get('file') as File).text() };
}

export const PARTS = 24;

interface Seen {
  readonly tenant?: TenantMixin<unknown> | undefined;
  readonly path?: string | undefined;
}
