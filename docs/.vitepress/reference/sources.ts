import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
// that of this workspace, which has a parser
import ts from 'typescript';

export const ROOT = join(import.meta.dirname, '../../..');

/** A docstring: its text, and its tags. */
export interface Doc {
  readonly text: string;
  readonly tags: readonly { readonly name: string; readonly text: string }[];
}

const parsed = new Map<string, ts.SourceFile>();

export function sourceFile(path: string): ts.SourceFile {
  const known = parsed.get(path);

  if (known !== undefined) {
    return known;
  }

  const file = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true);
  parsed.set(path, file);

  return file;
}

/** The declarations of a name in a file; a function may have several, for its overloads. */
export function declarationsOf(path: string, name: string): ts.Statement[] {
  const found = sourceFile(path).statements.filter(statement => nameOf(statement) === name);

  if (found.length === 0) {
    throw new Error(`${path} declares no ${name}.`);
  }

  return found;
}

/** The file that a name of a file is imported from, if it is one of this library. */
export function importedFrom(path: string, name: string): string | undefined {
  const found = sourceFile(path)
    .statements.filter(ts.isImportDeclaration)
    .find(({ importClause }) => {
      const bindings = importClause?.namedBindings;

      return bindings !== undefined && ts.isNamedImports(bindings) && bindings.elements.some(element => element.name.text === name);
    });
  const from = (found?.moduleSpecifier as ts.StringLiteral | undefined)?.text;

  return from?.startsWith('.') === true ? join(dirname(path), from.replace(/\.js$/, '.ts')) : undefined;
}

export function nameOf(node: ts.Node): string | undefined {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations[0]?.name.getText();
  }

  const { name } = node as { readonly name?: ts.Node };

  return name?.getText();
}

/** What stands above a declaration, as Markdown. */
export function docOf(node: ts.Node): Doc {
  const [doc] = ts
    .getJSDocCommentsAndTags(node)
    .filter(each => ts.isJSDoc(each))
    .slice(-1);
  const plain = (comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string =>
    (ts.getTextOfJSDocComment(comment) ?? '').replaceAll(/\{@link ([^}]*)\}/g, '`$1`').trim();

  return {
    text: plain(doc?.comment),
    tags: (doc?.tags ?? []).map(tag => {
      // in `@throws UnknownTenantError …` the name is no type expression, and in `@default { path: … }` it is none either
      const [, text = ''] = /^@\w+\s*([^]*)$/.exec(tag.getText()) ?? [];

      return {
        name: tag.tagName.text,
        text: text
          .replaceAll(/\s*\n\s*\*? ?/g, ' ')
          .replace(/\s*\*\/$/, '')
          .trim(),
      };
    }),
  };
}

export function tagOf(doc: Doc, name: string): string | undefined {
  return doc.tags.find(tag => tag.name === name)?.text;
}

/** Paragraphs of a docstring as they are in a page: a line for each. */
export function paragraphs(text: string): string {
  return text
    .split(/\n\s*\n/)
    .map(each => each.replaceAll(/\n(?!- )\s*/g, ' '))
    .join('\n\n');
}

/** Each name that an entry of the package exports, and where it is declared. */
export interface Exported {
  readonly name: string;
  readonly path: string;
  readonly isType: boolean;
}

export function exportsOf(path: string): Exported[] {
  return sourceFile(path).statements.flatMap((statement): Exported[] => {
    if (!ts.isExportDeclaration(statement)) {
      const isExported =
        ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      const name = nameOf(statement);

      return isExported === true && name !== undefined
        ? [{ name, path, isType: ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) }]
        : [];
    }

    const from = (statement.moduleSpecifier as ts.StringLiteral | undefined)?.text;

    if (from === undefined || !from.startsWith('.')) {
      return [];
    }

    const target = join(dirname(path), from.replace(/\.js$/, '.ts'));
    const found = exportsOf(target);

    if (statement.exportClause === undefined) {
      return found;
    }

    return (statement.exportClause as ts.NamedExports).elements.flatMap(({ name, propertyName, isTypeOnly }) =>
      found
        .filter(each => each.name === (propertyName ?? name).text)
        .slice(0, 1)
        .map(each => ({
          ...each,
          name: name.text === 'default' ? each.name : name.text,
          isType: each.isType || isTypeOnly || statement.isTypeOnly,
        })),
    );
  });
}
