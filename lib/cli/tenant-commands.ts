import { CLIHelper } from '@mikro-orm/cli';
import { helper } from '@mikro-orm/core';
import type { TenantService } from '../api/tenant-service.js';
import type { DeletedTenant } from '../database/deleted-tenants.js';
import { reasonOf } from '../errors/index.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { stateOf } from '../tenant/tenant-state.js';
import { confirm } from './ask.js';
import { EXIT } from './exit.js';
import { count, oneLine, print, printError, writeJson } from './output.js';
import { detailsOf } from './run-summary.js';
import { selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:list`: the tenants, or with `--deleted` those that can be restored. */
export function listTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, service => (args.deleted === true ? listDeleted(service, args) : list(service, args)));
}

async function list(service: TenantService, args: TenantArgs): Promise<number> {
  const tenants = await service.list(selectionOf(args));

  if (args.json === true) {
    tenants.forEach(tenant => writeJson('tenant', factsOf(tenant)));
    writeJson('summary', { total: tenants.length });
  } else {
    CLIHelper.dumpTable({
      columns: ['Tenant', 'Host', 'State', 'Key'],
      rows: tenants.map(factsOf).map(({ schemaName, domainUrl, state, key }) => [schemaName, domainUrl, state, String(key)]),
      empty: 'No tenants found',
    });
    CLIHelper.dump(count(tenants.length, 'tenant'));
  }

  return EXIT.done;
}

async function listDeleted(service: TenantService, { json }: TenantArgs): Promise<number> {
  const deleted = await service.listDeleted();

  if (json === true) {
    deleted.forEach(each => writeJson('deleted', each));
    writeJson('summary', { total: deleted.length });
  } else {
    dumpDeleted(deleted);
  }

  return EXIT.done;
}

function dumpDeleted(deleted: readonly DeletedTenant[]): void {
  CLIHelper.dumpTable({
    columns: ['Tenant', 'Host', 'Deleted at', 'Id'],
    rows: deleted.map(({ id, schemaName = '', domainUrl = '', deletedAt }) => [schemaName, domainUrl, deletedAt?.toISOString() ?? '', id]),
    empty: 'No deleted tenants found',
  });
}

/** `tenant:provision` */
export function provisionTenant(args: TenantArgs): Promise<number> {
  const { tenant = '' } = args;

  return withTenantsOf(args, async service => {
    await service.provision(tenant);

    return say(args, 'provisioned', { schemaName: tenant }, `${tenant} has its schema now`);
  });
}

/** `tenant:rename` */
export function renameTenant(args: TenantArgs): Promise<number> {
  const { tenant = '', newName = '', host, force = false } = args;

  return withTenantsOf(args, async service => {
    await service.rename(tenant, newName, { force, ...(host === undefined ? {} : { domainUrl: host }) });

    return say(args, 'renamed', { from: tenant, schemaName: newName }, `${tenant} renamed to ${newName}`);
  });
}

/** `tenant:drop` */
export function dropTenant(args: TenantArgs): Promise<number> {
  const { tenant = '', soft = false, cascade = false, force = false } = args;

  return withTenantsOf(args, async service => {
    // an unknown name is told before anybody has to type it again
    await service.list({ only: [tenant] });

    if (!soft) {
      await confirm(`Dropping ${tenant} with all its data`, tenant, args);
    }

    await service.drop(tenant, { soft, cascade, force });

    return say(
      args,
      'dropped',
      { schemaName: tenant, soft },
      soft ? `${tenant} deleted. \`mikro-orm tenant:restore ${tenant}\` brings it back` : `${tenant} dropped`,
    );
  });
}

/** `tenant:restore` */
export function restoreTenant(args: TenantArgs): Promise<number> {
  const { tenant = '', as, host, force = false } = args;

  return withTenantsOf(args, async service => {
    const { schemaName, domainUrl } = await service.restore(tenant, {
      force,
      ...(as === undefined ? {} : { schemaName: as as string }),
      ...(host === undefined ? {} : { domainUrl: host }),
    });
    const [status] = (await service.status({ only: [schemaName] })).tenants;
    const pending = status?.pending ?? [];
    const remark =
      pending.length === 0
        ? ''
        : `. It lacks ${count(pending.length, 'migration')}: run \`mikro-orm migration:up --tenants ${schemaName}\``;

    return say(args, 'restored', { schemaName, domainUrl, pending }, `${schemaName} restored, on the host ${domainUrl}${remark}`);
  });
}

/** `tenant:purge` */
export function purgeTenants(args: TenantArgs): Promise<number> {
  const { olderThan, tenants = [], cascade = false, json, dryRun = false } = args;
  const options = { cascade, ...(olderThan === undefined ? {} : { olderThan }), ...(tenants.length === 0 ? {} : { only: tenants }) };

  return withTenantsOf(args, async service => {
    const planned = await service.previewPurge(options);

    if (dryRun || planned.length === 0) {
      if (json === true) {
        planned.forEach(({ id, schemaName }) => writeJson('planned', { id, schemaName }));
        writeJson('summary', { planned: planned.length, purged: 0, failed: 0 });
      } else {
        dumpDeleted(planned);
      }

      return EXIT.done;
    }

    await confirm(`Dropping ${count(planned.length, 'deleted tenant')} with all data`, 'purge', args);
    const { purged, failed } = await service.purge(options);

    if (json === true) {
      purged.forEach(each => writeJson('purged', each));
      failed.forEach(({ error, ...each }) => writeJson('failed', { ...each, error: { message: reasonOf(error), ...detailsOf(error) } }));
      writeJson('summary', { planned: planned.length, purged: purged.length, failed: failed.length });
    } else {
      failed.forEach(({ id, schemaName, error }) => printError(`${schemaName ?? id}: ${oneLine(reasonOf(error))}`));
      print(`${count(purged.length, 'deleted tenant')} dropped, ${failed.length} failed`, failed.length === 0 ? 'green' : 'yellow');
    }

    return failed.length === 0 ? EXIT.done : EXIT.failed;
  });
}

function say({ json, quiet }: TenantArgs, event: string, facts: object, text: string): number {
  if (json === true) {
    writeJson(event, facts);
  } else if (quiet !== true) {
    print(text, 'green');
  }

  return EXIT.done;
}

function factsOf(tenant: TenantMixin<unknown>): { schemaName: string; domainUrl: string; state: string; key: unknown } {
  const { schemaName, domainUrl } = tenant;

  return { schemaName, domainUrl, state: stateOf(tenant), key: helper(tenant).getPrimaryKey() };
}
