import type { TenantArgs } from './tenant-args.js';

/** A command that works on tenants. Resolves to the exit code. */
export type TenantCommand = (args: TenantArgs) => Promise<number>;

/** The part of yargs that is used here. */
export interface CommandLine {
  option(name: string, options: object): CommandLine;
  positional(name: string, options: object): CommandLine;
  command(module: {
    command: string;
    describe: string | false;
    builder: (args: CommandLine) => CommandLine | Promise<CommandLine>;
    handler(args: TenantArgs): Promise<void>;
  }): CommandLine;
  parse(args: readonly string[], context?: object, callback?: () => void): Promise<unknown>;
  getInternalMethods(): { getCommandInstance(): { getCommandHandlers(): Record<string, CommandHandler> } };
}

/** What yargs keeps of a command. */
export interface CommandHandler {
  builder: Builder;
  handler: (args: TenantArgs) => Promise<void>;
}

export type Builder = (args: CommandLine) => CommandLine;
