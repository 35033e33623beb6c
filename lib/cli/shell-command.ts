import { AsyncLocalStorage } from 'node:async_hooks';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { REPLServer } from 'node:repl';
import { runInTenant } from '../api/run-in.js';
import { EXIT } from './exit.js';
import { print } from './output.js';
import type { TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/**
 * `tenant:shell`: a shell of Node.js in the scope of a tenant. `em`, `tenant`, `orm` and all entities are there, and `await` works. What was typed is
 * kept in the file that `LANDLORD_HISTORY` names.
 */
export function openShell(args: TenantArgs): Promise<number> {
  const { tenant: schemaName = '' } = args;

  return withTenantsOf(args, async service => {
    const { orm } = service;

    await runInTenant(
      schemaName,
      async (em, tenant) => {
        print(
          `${tenant.schemaName} (${tenant.domainUrl}). There are em, tenant, orm, and ${namesOf(service).join(', ')}. Ctrl-D ends the shell.`,
          'grey',
        );
        await untilClosed(`${tenant.schemaName}> `, { em, tenant, orm, ...entitiesOf(service) });
      },
      { orm },
    );

    return EXIT.done;
  });
}

async function untilClosed(prompt: string, context: object): Promise<void> {
  // the terminal's events come from outside of the scope
  const inScope = AsyncLocalStorage.snapshot();
  // no other command needs it
  const { start } = await import('node:repl');
  const server = start({ prompt, ignoreUndefined: true });
  const evaluate = server.eval.bind(server);
  Object.assign(server.context, context);
  // the type has it for reading alone, and Node.js documents an `eval` of one's own as an option, which has no access to the default
  Object.assign(server, { eval: (...args: Parameters<REPLServer['eval']>) => inScope(() => evaluate(...args)) });
  await new Promise<void>((resolve, reject) => {
    server.on('exit', resolve);
    server.setupHistory(process.env['LANDLORD_HISTORY'] ?? join(homedir(), '.landlord_history'), error => {
      if (error !== null) {
        reject(error);
      }
    });
  });
}

function namesOf(service: Entities): string[] {
  return Object.keys(entitiesOf(service)).toSorted();
}

function entitiesOf({ entities }: Entities): Record<string, unknown> {
  return Object.fromEntries(entities.map(({ className, class: Entity }) => [className, Entity]));
}

interface Entities {
  readonly entities: readonly { readonly className: string; readonly class: unknown }[];
}
