import { hash as hashText } from 'node:crypto';
import { EventManager, Reference } from '@mikro-orm/core';
import { Kysely } from '@mikro-orm/postgresql';
import { GUARDED } from '../../scope/guarded-method.js';
import { KNOWN_CODE } from './known-hashes.js';
import { ownersOf, poolOwnersOf, type AnyDriver } from './owners.js';
import type { ProbeWorld } from './probe-world.js';
import { SEAMS } from './register.js';

/**
 * Whether the seams, and the functions that call them, are byte for byte what the specs of this library were run on. Read off the functions as
 * they are in this process, so that a change to a file and a change at run time both show.
 */
export function isKnownCode(objects: readonly object[]): boolean {
  const versions = versionsByClass();

  return [...classesOf(objects)].every(([name, object]) => {
    // most versions have the same functions, and those that do not share most of them
    const texts = new Map<string, string>();
    const hashes = new Map<string, string>();

    return (versions.get(name) ?? []).some(({ hash, functions }) => {
      const key = functions.join();

      if (!hashes.has(key)) {
        hashes.set(key, functions.every(each => Object.hasOwn(object, each)) ? hashOf(object, functions, texts) : '');
      }

      return hashes.get(key) === hash;
    });
  });
}

/** The known versions of each class, those with the most functions first: the functions of the others may be among them. */
function versionsByClass(): Map<string, KnownClass[]> {
  const versions = new Map<string, KnownClass[]>();

  for (const version of known().sort((one, other) => other.functions.length - one.functions.length)) {
    versions.set(version.name, [...(versions.get(version.name) ?? []), version]);
  }

  return versions;
}

/** The code that is known: there is one entry for each version of a class. */
export function known(): KnownClass[] {
  return KNOWN_CODE.trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [name = '', code = ''] = line.split(': ');
      const [hash = '', ...functions] = code.split(' ');

      return { name, hash, functions };
    });
}

/** What is there before an ORM is. */
export function codeOfClasses(driver: AnyDriver): object[] {
  return [...Object.values(ownersOf(driver)), ...[EventManager, Kysely, Reference].map(each => each.prototype as object)].filter(
    each => each !== undefined,
  );
}

/** What shows once there is one. */
export function codeOfPool(world: ProbeWorld): object[] {
  return Object.values(poolOwnersOf(world)).filter(each => each !== undefined);
}

/** The code to be known: of each class, the functions that are seams or call one, and their hash. */
export function learn(objects: readonly object[]): KnownClass[] {
  const members = new Set(SEAMS.map(({ member }) => member));
  // what is called of the library's, in place of what it reads itself
  const hooks = new Set(SEAMS.filter(({ use }) => !['call', 'read', 'write'].includes(use)).map(({ member }) => member));
  const callsHook = new RegExp(`\\.(${[...hooks].join('|')})\\(`);

  return [...classesOf(objects)].map(([name, object]) => {
    const functions = Object.getOwnPropertyNames(object)
      .filter(key => members.has(key) || textsOf(object, key).some(text => callsHook.test(text)))
      // which a loader may have written anew
      .filter(key => !textsOf(object, key).some(text => text.includes('import(')))
      .toSorted();

    return { name, hash: hashOf(object, functions), functions };
  });
}

/** Some functions of a class, and the hash of their code. */
export interface KnownClass {
  readonly name: string;
  readonly hash: string;
  readonly functions: readonly string[];
}

function classesOf(objects: readonly object[]): Map<string, object> {
  const classes = new Map<string, object>();

  for (const start of objects) {
    for (let each = start as object | null; each !== null && each !== Object.prototype && each !== Function.prototype;) {
      if (typeof each === 'function' || Object.hasOwn(each, 'constructor')) {
        classes.set(typeof each === 'function' ? `${each.name} (static)` : each.constructor.name, each);
      }

      each = Object.getPrototypeOf(each) as object | null;
    }
  }

  return classes;
}

function hashOf(object: object, functions: readonly string[], texts = new Map<string, string>()): string {
  let text = Object.getOwnPropertyNames(object).join('\n');

  for (const key of functions) {
    const own = texts.get(key) ?? textsOf(object, key).join('\n');
    texts.set(key, own);
    text += `\n${key}\n${own}`;
  }

  return hashText('sha256', text, 'base64url').slice(0, 16);
}

function textsOf(object: object, key: string): string[] {
  const descriptor = Object.getOwnPropertyDescriptor(object, key);

  return PARTS.map((part): unknown => descriptor?.[part])
    .filter((each): each is Replaced => typeof each === 'function' && key !== 'constructor')
    .map(each => Function.prototype.toString.call(each[GUARDED] ?? each));
}

const PARTS = ['value', 'get', 'set'] as const;

/** A method that the library may have put in the place of one. */
type Replaced = Function & { readonly [GUARDED]?: Function };
