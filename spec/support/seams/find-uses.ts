import { parseSync } from '@babel/core';

/** A member of another package's, as the source of the library uses it. */
export interface Use {
  /** The path in `lib/`. */
  readonly file: string;
  readonly member: string;
  /** How it is used: the kind of code that the finder looks for. */
  readonly kind: UseKind;
}

export type UseKind =
  | 'override'
  | 'implements'
  | 'private access'
  | 'assignment'
  | 'definition'
  | 'proxy'
  | 'cast'
  | 'open interface'
  | 'internal'
  | 'comment';

/**
 * What the source of a library uses of other packages without their documenting it: what it overrides, implements for them, replaces, or reaches by
 * a cast. `internals` are the names that the packages declare as internal.
 */
export function findUses(sources: ReadonlyMap<string, string>, internals: ReadonlySet<string>): Use[] {
  const files = [...sources].map(([file, source]) => ({ file, ...parse(source) }));
  const interfaces = new Map(files.flatMap(({ nodes }) => nodes.filter(isDeclared).map(node => [node.id.name, membersOf(node)])));

  const described = files.filter(({ file }) => file.endsWith('-types.ts')).flatMap(({ nodes }) => nodes.filter(isDeclared).map(node => node.id.name as string));

  const uses = files.flatMap(({ file, nodes, comments }) => {
    const foreign = new Set([...described, ...importedBy(nodes)]);
    const fields = fieldsOf(nodes);

    return [
      ...nodes.flatMap(node => usesOf(node, { interfaces, internals, foreign, fields })).map(use => ({ file, ...use })),
      ...comments.flatMap(comment => namedIn(comment).map(member => ({ file, member, kind: 'comment' as const }))),
    ];
  });

  return [...new Map(uses.map(use => [JSON.stringify(use), use])).values()];
}

function usesOf(node: Node, { interfaces, internals, foreign, fields }: Known): Omit<Use, 'file'>[] {
  const found = (kind: UseKind, ...members: readonly (string | undefined)[]): Omit<Use, 'file'>[] =>
    members.map(member => ({ kind, member: member ?? '(computed)' }));

  switch (node.type) {
    case 'ClassMethod':
    case 'ClassProperty': {
      return node.override === true ? found('override', nameOf(node)) : [];
    }

    case 'ClassDeclaration':
    case 'ClassExpression': {
      const implemented: Node[] = node.implements ?? [];
      const isForeign = implemented.some(each => foreign.has(each.expression.name));

      return isForeign ? found('implements', ...node.body.body.filter(isPublicMethod).map(nameOf)) : [];
    }

    case 'MemberExpression':
    case 'OptionalMemberExpression': {
      if (node.computed === true && node.property.type === 'StringLiteral') {
        return found('private access', node.property.value);
      }

      const name: string | undefined = node.computed === true ? undefined : node.property.name;

      if (name !== undefined && isAnyCast(node.object)) {
        return found('cast', name);
      }

      return name !== undefined && (internals.has(name) || name.startsWith('__')) ? found('internal', name) : [];
    }

    case 'ObjectPattern': {
      return node.properties
        .map(nameOf)
        .filter((name: string | undefined) => name !== undefined && (internals.has(name) || name.startsWith('__')))
        .flatMap((name: string) => found('internal', name));
    }

    case 'AssignmentExpression': {
      const { left } = node;

      return left.type === 'MemberExpression' && !isOwnField(left, fields) ? found('assignment', nameOf({ key: left.property, computed: left.computed })) : [];
    }

    case 'NewExpression': {
      return node.callee.name === 'Proxy' ? found('proxy', ...trapsOf(node)) : [];
    }

    case 'CallExpression': {
      return definedBy(node).flatMap(name => found('definition', name));
    }

    case 'TSAsExpression':
    case 'TSSatisfiesExpression': {
      return typesIn(node.typeAnnotation)
        .filter(() => node.expression.type === 'TSAsExpression' && node.expression.typeAnnotation.type === 'TSUnknownKeyword')
        .flatMap(name => found('open interface', ...(interfaces.get(name) ?? [])));
    }

    default: {
      return [];
    }
  }
}

/** What `Object.defineProperty()` and its like define on an object that is there already. */
function definedBy({ callee, arguments: args }: Node): (string | undefined)[] {
  if (callee.type !== 'MemberExpression' || !['Object', 'Reflect'].includes(callee.object.name)) {
    return [];
  }

  switch (callee.property.name) {
    case 'defineProperty':
    case 'set': {
      return [args[1].type === 'StringLiteral' ? args[1].value : undefined];
    }

    case 'defineProperties':
    case 'create': {
      return args[1] === undefined ? [] : keysOf(args[1]);
    }

    case 'assign': {
      return args[0].type === 'ObjectExpression' ? [] : args.slice(1).flatMap(keysOf);
    }

    case 'setPrototypeOf': {
      return [undefined];
    }

    default: {
      return [];
    }
  }
}

/** The names of what a proxy answers itself, as a comparison in its source has them. */
function trapsOf(node: Node): (string | undefined)[] {
  const strings = allNodes(node)
    .filter(each => each.type === 'StringLiteral')
    .map(each => each.value as string);

  return strings.length === 0 ? [undefined] : strings;
}

function keysOf(node: Node): (string | undefined)[] {
  return node.type === 'ObjectExpression' ? node.properties.map(nameOf) : [undefined];
}

function isOwnField({ object, property }: Node, fields: ReadonlySet<string>): boolean {
  return property.type === 'PrivateName' || (object.type === 'ThisExpression' && fields.has(property.name));
}

function fieldsOf(nodes: readonly Node[]): Set<string> {
  return new Set(nodes.filter(({ type }) => type === 'ClassProperty').map(node => nameOf(node) ?? ''));
}

function importedBy(nodes: readonly Node[]): string[] {
  return nodes
    .filter(({ type, source }) => type === 'ImportDeclaration' && !source.value.startsWith('.'))
    .flatMap(({ specifiers }) => specifiers.map(({ local }: Node) => local.name as string));
}

function isPublicMethod(node: Node): boolean {
  return node.type === 'ClassMethod' && node.kind === 'method';
}

function isAnyCast(node: Node): boolean {
  return node.type === 'TSAsExpression' && node.typeAnnotation.type === 'TSAnyKeyword';
}

function isDeclared(node: Node): boolean {
  return node.type === 'TSInterfaceDeclaration' || node.type === 'TSTypeAliasDeclaration';
}

function membersOf(node: Node): string[] {
  const body: Node = node.body ?? node.typeAnnotation;

  return allNodes(body)
    .filter(each => ['TSPropertySignature', 'TSMethodSignature'].includes(each.type))
    .map(each => nameOf(each) ?? '(computed)');
}

function typesIn(node: Node): string[] {
  return allNodes(node)
    .filter(each => each.type === 'TSTypeReference' && each.typeName.type === 'Identifier')
    .map(each => each.typeName.name as string);
}

function nameOf({ key, computed }: Node): string | undefined {
  return computed === true ? (key?.type === 'StringLiteral' ? key.value : undefined) : (key?.name ?? key?.value);
}

/** What a comment says that it relies on. */
function namedIn(comment: string): string[] {
  const text = comment.replaceAll(/\n\s*\*/g, ' ');
  const [, sentence] = /\brelies on ([^]*?)(?:\.(?=\s|$)|$)/i.exec(text) ?? [];

  if (sentence === undefined) {
    return [];
  }

  const names = [...sentence.matchAll(/`([\w.$]+)(?:\([^`]*\))?`/g)].map(([, name]) => name?.split('.').at(-1) as string);

  return names.length === 0 ? ['(no name)'] : names;
}

function parse(source: string): Parsed {
  const file: Node = parseSync(source, { filename: 'lib.ts', configFile: false, babelrc: false, parserOpts: { plugins: ['typescript'] } });
  const comments: string[] = [];
  let lastLine = -1;

  // comments of one line each that follow each other are one
  for (const { type, value, loc } of file.comments as Node[]) {
    if (type === 'CommentLine' && loc.start.line === lastLine + 1) {
      comments.push(`${comments.pop()} ${value}`);
    } else {
      comments.push(value);
    }

    lastLine = type === 'CommentLine' ? loc.end.line : -1;
  }

  return { nodes: allNodes(file.program), comments };
}

function allNodes(node: Node): Node[] {
  const children = Object.entries(node)
    .filter(([key]) => !['loc', 'leadingComments', 'trailingComments', 'innerComments', 'extra'].includes(key))
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]))
    .filter(value => typeof value?.type === 'string');

  return [node, ...children.flatMap(allNodes)];
}

interface Parsed {
  readonly nodes: readonly Node[];
  readonly comments: readonly string[];
}

interface Known {
  /** The members of each interface of the library's, by its name. */
  readonly interfaces: ReadonlyMap<string, readonly string[]>;
  readonly internals: ReadonlySet<string>;
  /** The interfaces that come from a package, or describe something of one. */
  readonly foreign: ReadonlySet<string>;
  /** The fields that the classes of the file declare. */
  readonly fields: ReadonlySet<string>;
}

// Babel's types are many, and all of them are looked at here in one way
type Node = any;
