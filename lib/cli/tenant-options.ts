import { checkTenants, createForTenants, listOfTenants, pendingOfTenants, runForTenants } from './tenant-commands.js';

/** The arguments of a migration command, as the stock command line parses them, with the tenant options. */
export interface TenantArgs {
  readonly config?: string[];
  readonly contextName?: string;
  readonly quiet?: boolean;
  /** Schema names; empty for all tenants; undefined where the public set is meant. */
  readonly tenants?: readonly string[];
  readonly skipPublicCheck?: boolean;
  readonly schema?: string;
  readonly to?: string;
  readonly from?: string;
  readonly only?: string;
  readonly blank?: boolean;
  readonly initial?: boolean;
  readonly dump?: boolean;
  readonly path?: string;
  readonly name?: string;
}

/** A migration command over tenants. Resolves to the exit code. */
export type TenantCommand = (args: TenantArgs) => Promise<number>;

/** The little of yargs that is used here. */
export interface CommandLine {
  option(name: string, options: object): CommandLine;
  parse(args: readonly string[]): Promise<unknown>;
  showHelp(level: 'log'): void;
  getInternalMethods(): { getCommandInstance(): { getCommandHandlers(): Record<string, CommandHandler> } };
}

/**
 * Adds `--tenants` to the migration commands; without it each is the stock one. `--schema` of a tenant means that tenant: the stock
 * command would run the public set in its schema.
 *
 * Relies on yargs 17 keeping its commands as objects that are read when one is run, as `@mikro-orm/cli` does not export them one
 * by one, and a command of the same name added later stands in the help beside the earlier one.
 */
export function addTenantOptions(commandLine: CommandLine, run: (command: TenantCommand, args: TenantArgs) => Promise<void>): void {
  const handlers = commandLine.getInternalMethods().getCommandInstance().getCommandHandlers();

  for (const [name, command] of Object.entries(COMMANDS)) {
    const stock = handlers[`migration:${name}`] ?? missing(name);
    const { builder, handler } = stock;

    stock.builder = args => addOptions(builder(args), name);
    stock.handler = async args => {
      const tenants = selectedTenants(args);

      return tenants === undefined ? handler(args) : run(command, { ...args, tenants });
    };
  }
}

function addOptions(args: CommandLine, name: string): CommandLine {
  args.option('tenants', {
    array: true,
    type: 'string',
    desc:
      name === 'create'
        ? 'Write the next migration of the tenant set instead of the public one'
        : 'Work on the tenant set, for all tenants or for those of these schema names',
  });

  if (name === 'up') {
    args.option('skip-public-check', {
      type: 'boolean',
      desc: 'Migrate the tenants though the public set is behind',
    });
  }

  return args;
}

function selectedTenants({ tenants, schema }: TenantArgs): readonly string[] | undefined {
  if (tenants !== undefined || schema === undefined) {
    return tenants;
  }

  return schema === '*' ? [] : [schema];
}

function missing(name: string): never {
  throw new Error(`The installed @mikro-orm/cli has no command migration:${name}. Install the version that this package's peers name.`);
}

const COMMANDS: Readonly<Record<string, TenantCommand>> = {
  create: createForTenants,
  up: args => runForTenants(args, 'up'),
  down: args => runForTenants(args, 'down'),
  list: listOfTenants,
  pending: pendingOfTenants,
  check: checkTenants,
};

interface CommandHandler {
  builder: (args: CommandLine) => CommandLine;
  handler: (args: TenantArgs) => Promise<void>;
}
