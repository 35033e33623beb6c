import type { CommandHandler, TenantCommand } from './command-line.js';
import type { TenantArgs } from './tenant-args.js';

/**
 * Has the commands of MikroORM print an error of this library in words, as the commands for tenants do. yargs would print the help of the
 * command and a stack trace.
 */
export function explainRefusals(
  handlers: Readonly<Record<string, CommandHandler>>,
  run: (command: TenantCommand, args: TenantArgs) => Promise<void>,
): void {
  for (const stock of Object.values(handlers)) {
    const { handler } = stock;

    stock.handler = async args => {
      try {
        await handler(args);
      } catch (error) {
        await run(() => Promise.reject(error), args);
        // like MikroORM's command line where a command fails, which leaves its connections open
        process.exit();
      }
    };
  }
}
