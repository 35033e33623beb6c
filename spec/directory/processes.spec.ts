import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { startTenantProcess, type Sighting, type TenantProcess } from '../support/processes/tenant-process.ts';
import { until } from '../support/assertions/until.ts';

onDatabases(
  'several processes with one directory each',
  database => {
    const processes: TenantProcess[] = [];

    before(async () => {
      await database.query(
        `create table client (id serial primary key, domain_url varchar(255) not null unique, schema_name varchar(63) not null unique, suspended boolean not null default false)`,
      );

      for (let n = 0; n < 3; n += 1) {
        processes.push(await startTenantProcess(database.url ?? ''));
      }
    });

    it('L3 H10 each sees within a second that another deletes a tenant softly, and restores it', async () => {
      const [first, ...others] = processes as [TenantProcess, ...TenantProcess[]];
      await first.create('s', 's.example.com');

      for (const [change, served] of [
        [() => first.deleteSoftly('s'), 'HOST_UNKNOWN'],
        [() => first.restore('s'), 's'],
        [() => first.deleteSoftly('s'), 'HOST_UNKNOWN'],
      ] as const) {
        await Promise.all(others.map(each => each.visit('s.example.com')));
        await change();
        await Promise.all(others.map(each => until(`it is ${served}`, async () => (await each.visit('s.example.com')).served === served)));
      }
    });

    it('H10 each sees within a second what another creates, renames, moves, suspends or deletes', async () => {
      const [first, ...others] = processes as [TenantProcess, ...TenantProcess[]];
      const expectAll = async (host: string, served: string, change: () => Promise<unknown>): Promise<void> => {
        await Promise.all(others.map(each => each.visit(host)));
        await change();
        await Promise.all(others.map(each => until(`${host} is ${served}`, async () => (await each.visit(host)).served === served)));
      };

      await expectAll('a.example.com', 'a', () => first.create('a', 'a.example.com'));
      await expectAll('a.example.com', 'a2', () => first.change('a', { schemaName: 'a2' }));
      await expectAll('a.example.com', 'a2 is suspended', () => first.change('a2', { suspended: true }));
      await expectAll('a.example.com', 'HOST_UNKNOWN', () => first.change('a2', { domainUrl: 'b.example.com', suspended: false }));
      expect((await others[0]?.visit('b.example.com'))?.served).to.equal('a2');
      await expectAll('b.example.com', 'HOST_UNKNOWN', () => first.delete('a2'));
    });

    it('H10 none serves a tenant that was not the host’s within the last second, while tenants are deleted, re-created and moved, and connections killed', async () => {
      const hosts = ['x', 'y', 'z'].map(name => `${name}.example.com`);
      const [first, ...others] = processes as [TenantProcess, ...TenantProcess[]];
      /** Whose each host was, from when on. */
      const owners = new Map(hosts.map(host => [host, [{ served: 'HOST_UNKNOWN', until: Infinity }]]));
      const owned = (host: string, served: string, changedAt: number): void => {
        const list = owners.get(host) ?? [];
        list.push({ served, until: Infinity });
        (list.at(-2) as { until: number }).until = changedAt;
      };
      const loads = others.map(each => each.load(hosts, LOAD_MS));
      const end = performance.now() + LOAD_MS - 1_500;

      for (let n = 0; performance.now() < end; n += 1) {
        const [from, to] = [hosts[n % 3] as string, hosts[(n + 1) % 3] as string];
        await first.create(`t${n}`, from);
        owned(from, `t${n}`, Date.now());
        await setTimeout(30);
        await first.change(`t${n}`, { domainUrl: to });
        const movedAt = Date.now();
        owned(from, 'HOST_UNKNOWN', movedAt);
        owned(to, `t${n}`, movedAt);

        if (n % 4 === 0) {
          await database.query(
            `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'select 1' and pid <> pg_backend_pid()`,
          );
        }

        await setTimeout(30);
        await first.delete(`t${n}`);
        owned(to, 'HOST_UNKNOWN', Date.now());
      }

      const results = await Promise.all(loads);
      const sightings = results.flatMap(({ seen }) => seen);
      expect(sightings.filter(sighting => isWrong(sighting)).map(({ host, served }) => `${host} by ${served}`)).to.deep.equal([]);
      expect(new Set(sightings.map(({ served }) => served)).size).to.be.greaterThan(5);
      results.forEach(({ visits }) => expect(visits).to.be.greaterThan(1_000));

      function isWrong({ host, served, lastBegunAt }: Sighting): boolean {
        // of the times that it was the host's, the last: until then, and for a second more
        const until = Math.max(...(owners.get(host) ?? []).filter(owner => owner.served === served).map(owner => owner.until));

        return served === 'DIRECTORY_UNAVAILABLE' ? false : !(lastBegunAt <= until + 1_000);
      }
    });

    after('N4 each ends by itself when its ORM is closed', async () => {
      await Promise.all(processes.map(each => each.close()));
    });
  },
  ['postgresql'],
);

const LOAD_MS = 5_000;
