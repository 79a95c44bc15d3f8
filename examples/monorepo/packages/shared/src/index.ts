import { nanoid } from 'nanoid';

/** A greeting that no two calls share. */
export function greeting(name: string): string {
  return `Hello from ${name}, ${nanoid(8)}`;
}
