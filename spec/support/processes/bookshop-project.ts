import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';
import { createCliProject, type CliProject } from './cli-project.ts';
import { expectPrinted, type TranscribedCommand } from './transcripts.ts';

/** The bookshop of the documentation's examples as a project, in which the commands of a page are run. */
export interface BookshopProject extends CliProject {
  /** Runs commands of `npx mikro-orm` in one process, compares what they print with the page, and returns their exit codes. */
  replay(commands: readonly TranscribedCommand[]): Promise<number[]>;
}

export async function createBookshopProject(url: string): Promise<BookshopProject> {
  const project = await createCliProject(url);
  await Promise.all(['entities', 'migrations'].map(folder => rm(join(project.folder, folder), { recursive: true })));
  await mkdir(project.folder, { recursive: true });
  await cp(join(ROOT, 'docs/examples/bookshop'), project.folder, { recursive: true });

  return {
    ...project,
    replay: async commands => {
      const results = await project.runAll(commands.map(({ command }) => ['ours', ...argumentsOf(command)] as const));

      return results.map(({ code, output }, index) => {
        expectPrinted(commands[index]!, output);

        return code ?? -1;
      });
    },
  };
}

function argumentsOf(command: string): string[] {
  // a shell takes the quotes away
  const [program, name, ...args] = command
    .replace(/ +#.*$/, '')
    .split(' ')
    .map(each => each.replace(/^'(.*)'$/, '$1'));

  if (program !== 'npx' || name !== 'mikro-orm') {
    throw new Error(`${command} is not a command of \`npx mikro-orm\`.`);
  }

  return args;
}
