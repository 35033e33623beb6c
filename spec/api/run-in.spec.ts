import {
  currentSchema,
  currentTenant,
  forEachTenant,
  requireTenant,
  runInPublic,
  runInTenant,
  TenantVisitsError,
} from '@landlord/mikro-orm';
import { expect } from 'chai';
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Book, Library } from '../../fixtures/entities/index.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { failureOf } from '../support/assertions/failure.ts';

onDatabasesAndPooler('scopes', database => {
  let orm: LibraryOrm;

  const titleNow = async (): Promise<string> => (await orm.em.findOneOrFail(Book, 1, { refresh: true })).title;
  const schemaNow = (): string | undefined => currentTenant()?.schemaName;

  before(async () => {
    orm = await openTwins(database);
  });

  it('S1 reads the tenant’s rows through the global `em`, and through the one given', async () => {
    await runInTenant('acme', async (em, tenant) => {
      expect(await titleNow()).to.equal('acme book 1');
      expect((await em.findOneOrFail(Book, 2)).title).to.equal('acme book 2');
      expect(tenant.schemaName).to.equal('acme');
    });
    expect(await runInTenant('bob', titleNow)).to.equal('bob book 1');
  });

  it('S1 restores the outer scope after a nested one, also after a throw', async () => {
    const thrown = new Error('inner');

    await runInTenant('acme', async () => {
      expect(await runInTenant('bob', titleNow)).to.equal('bob book 1');
      expect(await titleNow()).to.equal('acme book 1');
      expect(await failureOf(runInTenant('bob', () => Promise.reject(thrown)))).to.equal(thrown);
      expect([schemaNow(), await titleNow()]).to.deep.equal(['acme', 'acme book 1']);
      await runInPublic(async () => {
        expect([schemaNow(), currentSchema()]).to.deep.equal([undefined, 'public']);
        await refusal(titleNow, 'TENANT_CONTEXT_REQUIRED');
      });
      expect(await titleNow()).to.equal('acme book 1');
    });
  });

  it('S2 returns to none when the outermost scope is left, also by a throw', async () => {
    const thrown = new Error('thrown');
    expect(await failureOf(runInTenant('acme', () => Promise.reject(thrown)))).to.equal(thrown);
    const thrownAtOnce = runInTenant('acme', () => {
      throw thrown;
    });
    expect(await failureOf(thrownAtOnce)).to.equal(thrown);

    expect([currentTenant(), currentSchema()]).to.deep.equal([undefined, undefined]);
    expect((await refusal(() => requireTenant(), 'TENANT_CONTEXT_REQUIRED')).message).to.include('called outside any scope');
    const inPublic = await refusal(() => runInPublic(() => requireTenant()), 'TENANT_CONTEXT_REQUIRED');
    expect(inPublic.message).to.include('called in the public scope');
    await refusal(() => orm.em.fork().find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
  });

  it('S3 keeps a hundred interleaved scopes apart, through awaits, timers and throws', async () => {
    const seen = await Promise.allSettled(
      Array.from({ length: 100 }, async (_, index) => {
        const name = index % 2 === 0 ? 'acme' : 'bob';

        return runInTenant(name, async () => {
          await delay(index % 7);
          const first = await titleNow();
          await new Promise(resolve => setImmediate(resolve));

          if (index % 5 === 0) {
            throw new Error(`${name} ${first} ${schemaNow()}`);
          }

          await runInTenant(name === 'acme' ? 'bob' : 'acme', () => delay(index % 3));

          return `${name} ${first} ${schemaNow()}`;
        });
      }),
    );

    seen.forEach((outcome, index) => {
      const name = index % 2 === 0 ? 'acme' : 'bob';
      const text = outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as Error).message;
      expect(outcome.status).to.equal(index % 5 === 0 ? 'rejected' : 'fulfilled');
      expect(text).to.equal(`${name} ${name} book 1 ${name}`);
    });
    expect(currentTenant()).to.equal(undefined);
  });

  it('S4 takes a tenant or its schema name', async () => {
    const tenant = await orm.em.fork().findOneOrFail(Library, { schemaName: 'bob' });

    expect(await runInTenant(tenant, titleNow)).to.equal('bob book 1');
    expect(await runInTenant(tenant, () => requireTenant<Library>().name)).to.equal('bob');
  });

  it('S4 refuses an unknown name before the callback runs, and a name no tenant can have before any SQL', async () => {
    let ran = false;
    const run = (name: string): Promise<unknown> => runInTenant(name, () => (ran = true));

    for (const name of ['nobody', 'ACME', 'acme"; --', '']) {
      await refusal(() => run(name), 'TENANT_UNKNOWN', name);
    }

    for (const given of [null, undefined, 1, {}, { schemaName: 'acme' }, new Date()]) {
      const error = await refusal(() => runInTenant(given as never, () => (ran = true)), 'TENANT_UNKNOWN', 'is no tenant');
      // as a framework answers it
      expect(error).to.include({ status: 404, expose: false });
    }

    expect(ran).to.equal(false);
    await refusal(() => runInTenant(newLibrary('pg_catalog'), () => (ran = true)), 'SCHEMA_NAME_RESERVED');
    expect(ran).to.equal(false);
  });

  it('S5 keeps the scope in detached work: a promise, a timer, an event handler bound there', async () => {
    const events = new EventEmitter();
    const detached: Promise<string>[] = [];

    await runInTenant('acme', () => {
      detached.push(delay(5).then(titleNow));
      detached.push(new Promise((resolve, reject) => setTimeout(() => void titleNow().then(resolve, reject), 5)));
      const bound = AsyncLocalStorage.bind(() => titleNow());
      detached.push(new Promise((resolve, reject) => events.once('later', () => void bound().then(resolve, reject))));
    });
    await runInTenant('bob', () => {
      events.emit('later');
    });

    expect(await Promise.all(detached)).to.deep.equal(['acme book 1', 'acme book 1', 'acme book 1']);
  });

  it('S7 visits each tenant in its own scope and fork, in the order of names', async () => {
    const ems = new Set<unknown>();
    const outcomes = await forEachTenant(async em => {
      ems.add(em);
      await delay(1);

      return [schemaNow(), await titleNow()];
    });

    expect(outcomes).to.deep.equal([
      { schemaName: 'acme', ok: true, value: ['acme', 'acme book 1'] },
      { schemaName: 'bob', ok: true, value: ['bob', 'bob book 1'] },
    ]);
    expect(ems.size).to.equal(2);
    expect(currentTenant()).to.equal(undefined);
  });

  it('S7 collects a failure and goes on with the rest', async () => {
    const failure = new Error('acme alone');
    const visit = async (): Promise<string> => {
      if (schemaNow() === 'acme') {
        throw failure;
      }

      return titleNow();
    };
    const outcomes = [
      { schemaName: 'acme', ok: false, error: failure },
      { schemaName: 'bob', ok: true, value: 'bob book 1' },
    ];

    expect(await forEachTenant(visit, { settle: true })).to.deep.equal(outcomes);

    const error = await failureOf(forEachTenant(visit));
    expect(error).to.be.instanceOf(AggregateError).and.instanceOf(TenantVisitsError);
    expect(error).to.deep.include({ code: 'TENANT_VISITS_FAILED', errors: [failure], schemaNames: ['acme'], outcomes });
    expect(error).to.have.property('message').that.contains('1 of 2 visits failed: of "acme" (acme alone)');
  });

  it('S7 takes those that `where` selects, and the public schema first where asked', async () => {
    expect((await forEachTenant(schemaNow, { where: { schemaName: 'bob' } })).map(({ schemaName }) => schemaName)).to.deep.equal(['bob']);
    expect(
      await forEachTenant((_, tenant) => [tenant?.schemaName, currentSchema()], { includePublic: true, concurrency: 1 }),
    ).to.deep.equal([
      { schemaName: 'public', ok: true, value: [undefined, 'public'] },
      { schemaName: 'acme', ok: true, value: ['acme', 'acme'] },
      { schemaName: 'bob', ok: true, value: ['bob', 'bob'] },
    ]);
  });

  it('S7 works on as many at once as `concurrency` says, and on one at a time in a transaction', async () => {
    const most = async (concurrency: number, expected = concurrency): Promise<number> => {
      let [running, highest] = [0, 0];
      await forEachTenant(
        async () => {
          highest = Math.max(highest, ++running);
          await until(`${expected} have begun`, () => highest >= expected);
          await delay(2);
          running--;
        },
        { concurrency },
      );

      return highest;
    };

    expect(await most(1)).to.equal(1);
    expect(await most(2)).to.equal(2);
    expect(await orm.em.fork({ useContext: true }).transactional(() => most(2, 1))).to.equal(1);
    expect(await runInPublic(em => em.transactional(() => most(2, 1)))).to.equal(1);
  });
});
