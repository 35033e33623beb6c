import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { isRaw } from '@mikro-orm/core';
import { ROOT } from '../orm/library-orm.ts';

/**
 * What in the text of a statement may be a value that was put into it. A value travels as a parameter, so a literal may only stand
 * in a statement where somebody has written it there: with what stands before it, it is found in a source file, of this
 * repository or of MikroORM. And an identifier is either a plain word, or written like that somewhere too.
 */
export function valuesIn(sent: string): string[] {
  // of a clone, an export or an extraction: names and literals of which PostgreSQL's own catalogs tell
  if (sent.startsWith('/* made from the catalogs */ ')) {
    return [];
  }

  const statement = unwrapped(sent);
  const found: string[] = [];

  for (const match of statement.matchAll(TOKENS)) {
    const [token] = match;
    const isPlain = /^"[A-Za-z_][\w$-]{0,62}"$/.test(token) || !/^["'$\d]|^[eE]'/.test(token) || /^\$\d+$/.test(token);

    if (!isPlain && !isDeclared(statement, match.index, token) && !isWritten(statement.slice(0, match.index), token)) {
      found.push(token);
    }

    // enough to tell by, and all sources are searched for each
    if (found.length === MOST) {
      break;
    }
  }

  for (const [canary] of statement.matchAll(CANARIES)) {
    found.push(canary);
  }

  return found;
}

// what the library sends together, in one block of PL/pgSQL
function unwrapped(statement: string): string {
  return statement.replace(/\bdo (\$landlord\d*\$)begin\n([\s\S]*)\nend\1/, (_, _tag, block: string) =>
    block.replaceAll(/^execute (\$landlord\d*\$)([\s\S]*?)\1;$/gm, '$2;'),
  );
}

/**
 * Whether what was sent is the template with each value in the place of its parameter, and each one a single literal: nothing of a
 * value has become SQL. MikroORM 7 puts the values into the text itself. Not told of a template that other SQL is put into.
 */
export function isFilledIn(template: string, params: readonly unknown[], sent: string): boolean {
  // the column of a condition on words is filled into the same place as a value
  return (
    WORDS.test(template) ||
    params.some(param => isRaw(param) || isRaw((param as { value?: unknown } | null)?.value)) ||
    shapeOfTemplate(template) === shapeOf(sent)
  );
}

const WORDS = /\?\? @@ plainto_tsquery\('\w+', \?\)/;

// the same templates are sent again and again, with other values
function shapeOfTemplate(template: string): string {
  const shape = shapes.get(template) ?? shapeOf(template);
  shapes.set(template, shape);

  return shape;
}

const shapes = new Map<string, string>();

// each literal and parameter as one sign, a list of them too, as an array becomes one
function shapeOf(sql: string): string {
  return [...sql.replaceAll(String.raw`\?`, ESCAPED).matchAll(TOKENS)]
    .map(([token]) =>
      /^(\?|[eE]?'|-?\d|(null|true|false|NaN|undefined)$)/.test(token)
        ? VALUE
        : token === '??'
          ? '?'
          : token.trim() === ''
            ? ''
            : token.replace(ESCAPED, '?'),
    )
    .filter(token => token !== '')
    .join(' ')
    .replaceAll(/- ¤/g, VALUE)
    .replaceAll(/¤(?: , ¤)+/g, VALUE);
}

/** In no source file there is a statement with one of these; every host and title that the specs use as data has one. */
const CANARIES =
  /[\w.-]+\.(?:example|test|invalid)\b|[\w.-]*example\.(?:com|org|net)|(?:acme|bob) (?:author|book|tag|member|writer|volume|label)\b/gi;

/**
 * Whether the literal is the programmer's, in SQL that has to say it: a default or a length in a table's declaration, a name of the
 * catalog, a migration's name in its history, a setting, a place in a list. Each is a word or a number, with nothing in it that could
 * end a literal.
 */
function isDeclared(statement: string, index: number, token: string): boolean {
  const before = statement.slice(0, index);
  const command = before.slice(before.lastIndexOf(';') + 1).trimStart();

  const isName = NAME.test(token);

  return (
    // of all numbers these say nothing
    /^[01]$/.test(token) ||
    (DECLARATION.test(command) && PLAIN.test(token)) ||
    // a comment's text or a body is a declaration too, and has more in it
    (/^(comment on|create (or replace )?function|do)\b/i.test(command) && /^['$]/.test(token)) ||
    (isName && CATALOG.test(statement) && /^(select|with)\b/i.test(command)) ||
    (isName && HISTORY.test(command)) ||
    (isName && PLACES.some(place => place.test(before))) ||
    (isName && /_tpt_type"/.test(statement) && / (then|else) $/.test(before)) ||
    (/^\d+$/.test(token) && /^ as position\b/.test(statement.slice(index + token.length))) ||
    // what `em.clone()` overrides, which MikroORM 7 fills in before the statement around it
    (/^insert into "\w+"\."\w+" \([^)]*\) select /.test(command) && statement.slice(index + token.length).startsWith(' as "')) ||
    // the path of a dump, which takes no parameters
    (/\bset_config\('search_path', $/.test(before) && /^'("?\$?\w+"?(, )?)+'$/.test(token)) ||
    // the path that there was, which a statement that takes no snapshot takes no parameter for
    (token === '"$user"' && /\bset local search_path to (?:"\w+", )*$/.test(before)) ||
    // the run and the tenant that a session is for
    (/\b(?:set (?:local )?application_name to|set_config\('application_name',) $/.test(before) &&
      /^'landlord [\da-f]{4} \w+'$/.test(token)) ||
    // what stands between the parts of a text
    (/\bconcat_ws\($/.test(before) && token === "','") ||
    // the notice of a new tenant, in the script that creates it
    (/\bpg_notify\($/.test(before) && /^'landlord:[\w.]+'$/.test(token)) ||
    (/\bpg_notify\('landlord:[\w.]+', $/.test(before) && isName) ||
    // a channel, which takes no parameter
    (/^listen $/i.test(command) && /^"landlord:[\w.]+"$/.test(token)) ||
    statement === "set names 'utf8';" ||
    // a migration of `spec/migrations/mixes.spec.ts` writes what it has read
    /^'read queued in \w+'$/.test(token)
  );
}

const PLAIN = /^('[^';\\]*'|[\d.]+)$/;

const NAME = /^('[\w.%"-]*'|\d+)$/;

const DECLARATION = /^(create|alter) (table|type|index|unique index|view|materialized view|domain)\b/i;

const CATALOG =
  /\b(information_schema|pg_(catalog|class|constraint|database|enum|index|indexes|namespace|policies|proc|tables|trigger|type|views|matviews))\b/;

const HISTORY =
  /^(?:(insert into|delete from|select .* from|(?:if not|elsif) exists \(select from) "\w+"\."\w*(?:migrations|history)\w*" (\("?name"?\) values|where name in) \(|update "\w+"\."\w*(?:migrations|history)\w*" set name = '[^']*' where )/;

const PLACES = [
  /\bset (local )?\w+ (to|=) $/,
  /\bset_config\(('[\w.]+', )?$/,
  /\bsetval\($/,
  // the configuration of a text search, which the entity says
  /\bplainto_tsquery\($/,
  // the hash of a history, which a script takes no parameter for
  /'hex'\) from "\w+"\."\w+"\) is distinct from $/,
  // a key in JSON
  /->>?$/,
  // the lock of a tenant's migrations, in a script, which takes no parameters
  /\bhashtextextended\('landlord:' \|\| $/,
  // the names and schemas that a commit is held to, in the message that commits, which takes no parameters
  /\bto_regnamespace\($/,
  /\bto_regnamespace\('\w+'\), $/,
];

function isWritten(before: string, token: string): boolean {
  // as much as tells the place, and no parameter, whose number may be another one
  const context = /[^$"']{0,12}$/.exec(before.slice(-12))?.[0] ?? '';
  const key = context + token;
  let known = written.get(key);

  if (known === undefined) {
    known = sources().includes(key);
    written.set(key, known);
  }

  return known;
}

function sources(): string {
  text ??= FOLDERS.flatMap(folder => filesIn(join(ROOT, folder)))
    .map(file => readFileSync(file, 'utf8').replaceAll(String.raw`\'`, "'"))
    .join('\n');

  return text;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && ['.ts', '.js', '.mjs'].includes(extname(entry.name)))
    .map(entry => join(entry.parentPath, entry.name));
}

// signs that no SQL has
const VALUE = '¤';

const ESCAPED = '¿';

/** How many values of a statement are told. */
const MOST = 20;

let text: string | undefined;

const written = new Map<string, boolean>();

const FOLDERS = [
  'lib',
  'spec',
  'fixtures',
  'docs/examples',
  'migrations',
  'node_modules/@mikro-orm/core',
  'node_modules/@mikro-orm/sql',
  'node_modules/@mikro-orm/migrations',
];

const TOKENS =
  /\?\?|"(?:[^"]|"")*"|[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\$([A-Za-z_]*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|\$\d+|[A-Za-z_][\w$]*|\d+(?:\.\d+)?|\s+|./g;
