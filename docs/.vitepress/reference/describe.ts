import ts from 'typescript';
import { declarationsOf, docOf, importedFrom, nameOf, paragraphs, tagOf, type Doc } from './sources.ts';

/** Each property of an interface, under a heading of its own. */
export function describeOptions(path: string, name: string, prefix = ''): string {
  const [declaration] = declarationsOf(path, name) as ts.InterfaceDeclaration[];
  const members = declaration?.members.filter(ts.isPropertySignature) ?? [];

  return members
    .map(member => {
      const doc = docOf(member);
      const type = typeText(member.type);
      const value = tagOf(doc, 'default');
      const facts = [
        `Type: ${code(type)}`,
        ...(value === undefined ? [] : [`default: ${value.includes(' ') && !/^[[{'"]/.test(value) ? value : code(value)}`]),
      ];

      return `### \`${prefix}${member.name.getText()}\`\n\n${facts.join(', ')}.\n\n${paragraphs(textOf(doc, `${name}.${member.name.getText()}`))}`;
    })
    .join('\n\n');
}

/** A function or a class: how it is called, what it does and what it throws. */
export function describeValue(path: string, name: string, level: string): string {
  const declarations = declarationsOf(path, name);
  const [first] = declarations;

  if (first !== undefined && ts.isClassDeclaration(first)) {
    const members = allMembersOf(path, first);
    const methods = members.filter(member => (ts.isMethodDeclaration(member) || ts.isGetAccessor(member)) && isPublic(member));
    const own = methods
      .filter(method => docOf(method).text !== '')
      .map(method => `${level}# \`${name}\`: \`${nameOf(method)}\`\n\n${signatures([method])}\n\n${describeDoc(docOf(method))}`);
    const fields = members.filter(member => ts.isPropertyDeclaration(member) && isPublic(member) && docOf(member).text !== '');

    return [
      `${level} \`${name}\``,
      describeDoc(docOf(first)),
      ...(fields.length > 0 ? [fields.map(describeField).join('\n')] : []),
      ...own,
    ].join('\n\n');
  }

  const overloads = declarations.filter(ts.isFunctionDeclaration);
  const shown = overloads.length > 1 ? overloads.filter(({ body }) => body === undefined) : overloads;
  const doc = declarations.map(docOf).find(({ text }) => text !== '') ?? { text: '', tags: [] };
  const value = shown.length > 0 ? [signatures(shown)] : [];

  return [`${level} \`${name}${shown.length > 0 ? '()' : ''}\``, ...value, describeDoc({ ...doc, text: textOf(doc, name) })].join('\n\n');
}

/** The members of a class, then those of the classes of this library that it is made of: parts with `Service` in their names, which nothing exports. */
function allMembersOf(path: string, declaration: ts.ClassDeclaration): ts.ClassElement[] {
  const base = declaration.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]?.expression.getText();
  const from = base?.includes('Service') === true ? importedFrom(path, base) : undefined;

  if (base === undefined || from === undefined) {
    return [...declaration.members];
  }

  return [...declaration.members, ...allMembersOf(from, declarationsOf(from, base)[0] as ts.ClassDeclaration)];
}

/** A type: its properties, or what it stands for. */
export function describeType(path: string, name: string, level: string): string {
  const [declaration] = declarationsOf(path, name) as [ts.Statement];
  const doc = docOf(declaration);
  const head = `${level} \`${name}\``;

  if (ts.isInterfaceDeclaration(declaration)) {
    const parents = declaration.heritageClauses?.flatMap(({ types }) => types.map(type => code(type.getText()))) ?? [];
    const extended = parents.length > 0 ? [`It has the properties of ${parents.join(' and ')} too.`] : [];

    return [head, ...(doc.text === '' ? [] : [paragraphs(doc.text)]), ...extended, declaration.members.map(describeField).join('\n')]
      .filter(part => part !== '')
      .join('\n\n');
  }

  const type = ts.isTypeAliasDeclaration(declaration) ? [block(withoutComments(declaration.getText()).replace(/^export /, ''))] : [];

  return [head, ...(doc.text === '' ? [] : [paragraphs(doc.text)]), ...type].join('\n\n');
}

function describeField(member: ts.Node): string {
  const doc = docOf(member);
  const { type, questionToken } = member as ts.PropertySignature;
  const value = tagOf(doc, 'default');
  const shown = ts.isMethodSignature(member)
    ? code(withoutComments(member.getText()).replace(/;$/, ''))
    : `\`${nameOf(member)}${questionToken === undefined ? '' : '?'}\`: ${code(typeText(type))}`;

  return `- ${shown}${doc.text === '' ? '' : `. ${paragraphs(doc.text).replaceAll(/\n+/g, ' ')}`}${value === undefined ? '' : ` Default: ${value}.`}`;
}

export function describeDoc(doc: Doc): string {
  const throws = doc.tags.filter(({ name }) => name === 'throws').map(({ text }) => `- Throws ${text.replace(/^(\w+)/, '`$1`')}`);

  return [paragraphs(doc.text), ...(throws.length > 0 ? [throws.join('\n')] : [])].filter(part => part !== '').join('\n\n');
}

function signatures(nodes: readonly ts.Node[]): string {
  return block(
    nodes
      .map(node => {
        const { body } = node as { readonly body?: ts.Node };
        const text = node.getSourceFile().text.slice(node.getStart(), body?.getStart() ?? node.getEnd());

        return dedent(withoutComments(text))
          .replace(/^export /, '')
          .replace(/\basync /, '')
          .replace(/^(?:override |static )+/, '')
          .trim()
          .replace(/;?$/, ';');
      })
      .join('\n'),
  );
}

// a signature comes from the code, and is no code to be run
function block(text: string): string {
  return `\`\`\`ts signature\n${text}\n\`\`\``;
}

function isPublic(member: ts.ClassElement): boolean {
  const flags = ts.getCombinedModifierFlags(member);

  return (
    (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Static)) === 0 &&
    !ts.isPrivateIdentifier(member.name!) &&
    !/@internal/.test(member.getFullText())
  );
}

function typeText(type: ts.Node | undefined): string {
  return withoutComments(type?.getText() ?? 'unknown')
    .replaceAll(/\s+/g, ' ')
    .replace(/^\| /, '');
}

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(?:\/\/.*|\/\*\*[^]*?\*\/)\n/gm, '').replaceAll(/ *\/\/ .*$/gm, '');
}

function dedent(text: string): string {
  const indent = /\n( +)[)}]/.exec(text)?.[1] ?? '';

  return text.replaceAll(`\n${indent}`, '\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

function textOf(doc: Doc, of: string): string {
  if (doc.text === '') {
    throw new Error(`${of} has no docstring, from which the reference is written.`);
  }

  return doc.text;
}
