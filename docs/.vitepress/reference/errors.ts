import { globSync } from 'node:fs';
import ts from 'typescript';
import { docOf, nameOf, paragraphs, ROOT, sourceFile, tagOf } from './sources.ts';

interface ErrorCode {
  readonly code: string;
  readonly className: string;
  readonly cause: string;
  readonly remedy: string;
}

/** Every error: its code, its class, its cause, the remedy, and what its messages say. */
export function describeErrors(): string {
  const files = globSync('lib/errors/*.ts', { cwd: ROOT }).toSorted();
  const codes = files.flatMap(codesOf);
  const missing = allCodes().filter(code => !codes.some(each => each.code === code));
  const unknown = codes.filter(({ code }) => !allCodes().includes(code)).map(({ code }) => code);

  if (missing.length > 0 || unknown.length > 0) {
    throw new Error(
      `lib/errors/error-codes.ts and migration-codes.ts give each code its cause and its remedy. Without them: ${missing.join(', ') || 'none'}. Not a code: ${unknown.join(', ') || 'none'}.`,
    );
  }

  return codes
    .toSorted((a, b) => a.code.localeCompare(b.code))
    .map(({ code, className, cause, remedy }) => {
      const messages = files.flatMap(file => messagesOf(file, code, className));
      const shown = messages.length > 0 ? [`Messages:\n\n${[...new Set(messages)].map(each => `- ${each}`).join('\n')}`] : [];
      const properties = files.flatMap(file => propertiesOf(file, className));

      return [
        `## \`${code}\``,
        `Class: \`${className}\`${properties.length > 0 ? `, with ${properties.join(', ')}` : ''}.`,
        `**Cause:** ${cause}`,
        `**Remedy:** ${remedy}`,
        ...shown,
      ].join('\n\n');
    })
    .join('\n\n');
}

/** The members of the type `TenantErrorCode`. */
export function allCodes(): string[] {
  const [alias] = sourceFile('lib/errors/tenant-error.ts').statements.filter(each => nameOf(each) === 'TenantErrorCode');

  return [...(alias?.getText() ?? '').matchAll(/'([A-Z_]+)'/g)].map(([, code = '']) => code);
}

/** The interfaces `…ErrorCodes` of a file. */
function codesOf(file: string): ErrorCode[] {
  return sourceFile(file)
    .statements.filter(ts.isInterfaceDeclaration)
    .filter(({ name }) => name.text.endsWith('ErrorCodes'))
    .flatMap(({ members }) =>
      members.filter(ts.isPropertySignature).map(member => {
        const doc = docOf(member);
        const remedy = tagOf(doc, 'remedy');
        const code = member.name.getText();

        if (doc.text === '' || remedy === undefined) {
          throw new Error(`${code} has no cause, or no @remedy, in ${file}.`);
        }

        return { code, className: member.type?.getText() ?? '', cause: paragraphs(doc.text), remedy };
      }),
    );
}

function classesOf(file: string): ts.ClassDeclaration[] {
  return sourceFile(file).statements.filter(ts.isClassDeclaration);
}

function propertiesOf(file: string, className: string): string[] {
  return classesOf(file)
    .filter(({ name }) => name?.text === className)
    .flatMap(({ members }) => members.filter(ts.isPropertyDeclaration).filter(({ name }) => !ts.isPrivateIdentifier(name)))
    .map(member => `\`${member.name.getText()}\``)
    .filter(name => name !== '`code`');
}

/** The texts that the class is given together with the code, with `…` for what is filled in; else those that its constructor has. */
function messagesOf(file: string, code: string, className: string): string[] {
  return classesOf(file)
    .filter(({ name }) => name?.text === className)
    .flatMap(declaration => {
      // a constructor that gives the code itself gets the messages by its arguments
      const isOfThisCodeAlone = new RegExp(String.raw`super\(\s*'${code}'`).test(declaration.getText());
      const calls = callsIn(declaration, className);
      const named = calls.filter(({ texts, isSuper }) => texts.includes(code) || (isOfThisCodeAlone && !isSuper));
      const meant = named.length > 0 ? named : calls.filter(({ isSuper }) => isSuper);

      return meant.flatMap(({ texts }) => texts.filter(text => text !== code && /[a-z]{3}.* /i.test(text)).slice(0, 1)).map(inPage);
    });
}

/** Where a class is made, or calls the constructor of its base, with the texts that are passed. */
function callsIn(declaration: ts.ClassDeclaration, className: string): { texts: string[]; isSuper: boolean }[] {
  const found: { texts: string[]; isSuper: boolean }[] = [];
  const visit = (node: ts.Node): void => {
    const isSuper = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword;

    if (isSuper || (ts.isNewExpression(node) && node.expression.getText() === className)) {
      found.push({ texts: (node.arguments ?? []).map(textOf).filter(text => text !== undefined), isSuper });
    }

    ts.forEachChild(node, visit);
  };
  visit(declaration);

  return found;
}

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
    return node.text;
  }

  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  }

  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return `${textOf(node.left) ?? '…'}${textOf(node.right) ?? '…'}`;
  }

  return ts.isParenthesizedExpression(node) ? textOf(node.expression) : undefined;
}

// nothing in it is HTML, or an expression of Vue
function inPage(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('<', '&lt;').replaceAll('{{', '{ {').replaceAll('*', '\\*').replaceAll(/…+/g, '…').trim();
}
