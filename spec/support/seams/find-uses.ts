import { parseSync } from '@babel/core';

/** A member of another package's, as the source of the library uses it. */
export interface Use {
  /** The path in `lib/`. */
  readonly file: string;
  readonly member: string;
  /** How it is used: the kind of code that the finder looks for. */
  readonly kind: UseKind;
  /** The interface of the library's that says so, where one does. */
  readonly by?: string;
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
  const declared = files.flatMap(({ file, nodes }) =>
    nodes.filter(isDeclared).map((node): Declared => ({ file, name: node.id.name, node })),
  );
  const described = declared.filter(({ file }) => file.endsWith('-types.ts')).map(({ name }) => name);

  const uses = files.flatMap(({ file, nodes, comments }) => {
    const known = {
      internals,
      foreign: new Set([...described, ...importedBy(nodes)]),
      fields: fieldsOf(nodes),
      membersOf: (name: string) => membersOf(name, file, declared),
    };

    return [
      ...nodes.flatMap(node => usesOf(node, known)).map(use => ({ file, ...use })),
      ...comments.flatMap(comment => namedIn(comment).map(member => ({ file, member, kind: 'comment' as const }))),
    ];
  });

  return [...new Map(uses.map(use => [JSON.stringify(use), use])).values()];
}

function usesOf(node: Node, known: Known): Omit<Use, 'file'>[] {
  const { internals, foreign, fields } = known;
  const found = (kind: UseKind, ...members: readonly (string | undefined)[]): Omit<Use, 'file'>[] =>
    members.map(member => ({ kind, member: member ?? '(computed)' }));

  switch (node.type) {
    case 'ClassMethod':
    case 'ClassProperty': {
      return node.override === true ? found('override', nameOf(node)) : [];
    }

    case 'ClassDeclaration':
    case 'ClassExpression': {
      const names: string[] = (node.implements ?? []).map((each: Node) => each.expression.name).filter((name: string) => foreign.has(name));
      const methods: string[] = node.body.body.filter(isPublicMethod).map(nameOf);

      return names.flatMap(name =>
        found('implements', ...methods.filter(method => known.membersOf(name).length === 0 || known.membersOf(name).includes(method))),
      );
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

      return left.type === 'MemberExpression' && !isOwnField(left, fields)
        ? found('assignment', nameOf({ key: left.property, computed: left.computed }))
        : [];
    }

    case 'NewExpression': {
      return node.callee.name === 'Proxy' ? found('proxy', '(any)') : [];
    }

    case 'CallExpression': {
      return definedBy(node).flatMap(name => found('definition', name));
    }

    case 'TSAsExpression':
    case 'TSSatisfiesExpression': {
      const isForced = node.expression.type === 'TSAsExpression' && node.expression.typeAnnotation.type === 'TSUnknownKeyword';
      const inline = node.typeAnnotation.type === 'TSTypeLiteral' ? signaturesIn(node.typeAnnotation) : [];

      return found('cast', ...inline).concat(
        typesIn(node.typeAnnotation).flatMap(name =>
          (isForced ? known.membersOf(name) : []).map(member => ({ kind: 'open interface' as const, member, by: name })),
        ),
      );
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

/** The members of an interface, of what it extends, and of what the class has that a type of classes is of. */
function membersOf(name: string, file: string, declared: readonly Declared[], seen = new Set<Node>()): string[] {
  const found = declared.find(each => each.name === name && each.file === file) ?? declared.find(each => each.name === name);

  if (found === undefined || seen.has(found.node)) {
    return [];
  }

  const { node } = found;
  seen.add(node);
  const others = node.type === 'TSInterfaceDeclaration' ? (node.extends ?? []) : [node.typeAnnotation];

  return [
    ...signaturesIn(node.body ?? node.typeAnnotation),
    ...others
      .flatMap((each: Node) => allNodes(each))
      .flatMap((each: Node) => membersOf(each.typeName?.name ?? each.expression?.name ?? '', found.file, declared, seen)),
  ];
}

function signaturesIn(node: Node): string[] {
  return allNodes(node)
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
  readonly internals: ReadonlySet<string>;
  /** The interfaces that come from a package, or describe something of one. */
  readonly foreign: ReadonlySet<string>;
  /** The fields that the classes of the file declare. */
  readonly fields: ReadonlySet<string>;
  /** The members of an interface of the library's, by the name that the file has for it. */
  membersOf(name: string): readonly string[];
}

interface Declared {
  readonly file: string;
  readonly name: string;
  readonly node: Node;
}

// Babel's types are many, and all of them are looked at here in one way
type Node = any;
