import { seamsOf } from '../seam.js';

const OPTIONS = ['cli/tenant-options.ts'];

/** Where commands are looked up. */
const LOOKED_UP = [...OPTIONS, 'cli/life-commands.ts'];

const COMMANDS = [...OPTIONS, 'cli/dropping-commands.ts', 'cli/life-commands.ts'];

const NO_ORM = '`migration:up --tenants` runs the tenant set, and never the public one';

/** What the command line uses of yargs. It is looked at when that starts, as an ORM has no part in it. */
export const COMMAND_LINE_SEAMS = [
  ...seamsOf('Argv', 'yargs', {
    getInternalMethods: { use: 'call', arity: 0, protects: NO_ORM, usedIn: LOOKED_UP },
  }),
  ...seamsOf('ArgvInternals', 'yargs', {
    getCommandInstance: { use: 'call', arity: 0, protects: NO_ORM, usedIn: LOOKED_UP },
  }),
  ...seamsOf('CommandInstance', 'yargs', {
    getCommandHandlers: { use: 'call', arity: 0, protects: NO_ORM, usedIn: LOOKED_UP },
  }),
  ...seamsOf('CommandHandler', 'yargs', {
    builder: { use: 'replace', arity: 1, by: 'yargs, when a command is parsed', protects: NO_ORM, usedIn: COMMANDS },
    handler: {
      use: 'replace',
      arity: 1,
      by: 'yargs, when a command is run',
      protects: NO_ORM,
      usedIn: [...COMMANDS, 'cli/stock-commands.ts'],
    },
  }),
];
