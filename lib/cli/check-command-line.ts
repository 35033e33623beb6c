import { TenantConfigError } from '../errors/index.js';
import { explain } from '../orm/seams/explain.js';
import { COMMAND_LINE_SEAMS } from '../orm/seams/rows/command-line.js';
import { brokenShapes, type BrokenSeam } from '../orm/seams/shapes.js';
import type { CommandHandler, CommandLine } from './command-line.js';

/**
 * Looks whether yargs runs what is put in the place of a command, by one of its own that does nothing. Where it does not, MikroORM's own
 * command would run in the place of the tenants', on the public set.
 *
 * @throws TenantConfigError `TENANT_CONFIG`
 */
export async function checkCommandLine(commandLine: CommandLine): Promise<void> {
  const broken = brokenParts(commandLine);

  if (broken.length > 0) {
    throw TenantConfigError.brokenSeams(broken.map(explain));
  }

  const seen = await runProbe(commandLine);
  const unseen = (['builder', 'handler'] as const).filter(member => !seen.has(member));

  if (unseen.length > 0) {
    const seams = COMMAND_LINE_SEAMS.filter(({ member }) => (unseen as string[]).includes(member));
    throw TenantConfigError.brokenSeams(seams.map(seam => explain({ seam, seen: 'what was put in its place was not run' })));
  }
}

function brokenParts(commandLine: CommandLine): BrokenSeam[] {
  const internals = tryTo(() => commandLine.getInternalMethods());
  const instance = tryTo(() => internals?.getCommandInstance());
  const handler = tryTo(() => instance?.getCommandHandlers()['migration:up']);

  return brokenShapes(COMMAND_LINE_SEAMS, {
    Argv: commandLine,
    ArgvInternals: internals,
    CommandInstance: instance,
    CommandHandler: handler,
  });
}

async function runProbe(commandLine: CommandLine): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  const stock = async (): Promise<void> => undefined;
  commandLine.command({ command: PROBE, describe: false, builder: args => args, handler: stock });
  const handlers = commandLine.getInternalMethods().getCommandInstance().getCommandHandlers();
  const probe = handlers[PROBE] as CommandHandler;

  probe.builder = args => {
    seen.add('builder');

    return args.option('tenants', { array: true, type: 'string' });
  };
  probe.handler = async ({ tenants }) => {
    if (tenants?.join() === 'acme') {
      seen.add('handler');
    }
  };

  try {
    // with a callback it prints nothing and ends no process
    await commandLine.parse([PROBE, '--tenants', 'acme'], {}, () => undefined);
  } catch {
    // it shows by what was not run
  } finally {
    delete handlers[PROBE];
  }

  return seen;
}

// the first part that is not there tells why
function tryTo<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

const PROBE = 'tenant:probe';
