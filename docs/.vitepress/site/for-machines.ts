import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { languageOf, shownCode, shownFile } from './code-blocks.ts';
import { sidebar } from './sidebar.ts';

/** Writes each page as Markdown with its code in place, beside its HTML, and `llms.txt`, which lists them. */
export function writeForMachines(docs: string, outDir: string): void {
  for (const page of globSync('**/*.md', { cwd: docs, exclude: ['node_modules/**', 'examples/**'] })) {
    const path = join(outDir, page);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, asMarkdown(join(docs, page), docs));
  }

  const groups = sidebar(docs).map(({ text, items }) => {
    const lines = items.map(item => `- [${item.text}](${item.link.replace(/\/$/, '/index')}.md)`);

    return `## ${text}\n\n${lines.join('\n')}\n`;
  });
  writeFileSync(join(outDir, 'llms.txt'), `# @landlord/mikro-orm\n\n> ${SUMMARY}\n\n${groups.join('\n')}`);
  cpSync(join(docs, 'curve.svg'), join(outDir, 'curve.svg'));
  cpSync(join(docs, 'request.svg'), join(outDir, 'request.svg'));
}

/** A page with what it includes. */
export function asMarkdown(path: string, docs: string): string {
  return readFileSync(path, 'utf8')
    .replaceAll(/^ *<!-- *@include: (\S+) *-->$/gm, (_, file: string) => readFileSync(join(dirname(path), file), 'utf8'))
    .replaceAll(/^( *)<<< (\S.*)$/gm, (_, indent: string, shown: string) => {
      const { source, region } = shownFile(shown, path, docs);
      const block = `\`\`\`${languageOf(source)}\n${shownCode(source, region).code}\n\`\`\``;

      return block.replaceAll(/^(?=.)/gm, indent);
    });
}

const SUMMARY =
  'Schema-per-tenant multi-tenancy for MikroORM 7 on PostgreSQL: one process, one pool and one set of entities, and a PostgreSQL schema for each customer.';
