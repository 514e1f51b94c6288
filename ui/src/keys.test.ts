import { expect, it } from 'vitest';

import { isOnce, isTab, Keys } from './keys';

const press = (key: string, more: Partial<KeyboardEvent> = {}) => ({ key, code: key, repeat: false, ctrlKey: false, metaKey: false, ...more });

it('a key that was not let go is held, even where the webview does not say so', () => {
  const keys = new Keys();
  expect([keys.down(press('Enter')), keys.down(press('Enter')), keys.down(press('a', { repeat: true }))]).toEqual([false, true, true]);
  keys.up(press('Enter'));
  expect(keys.down(press('Enter'))).toBe(false);
});

it('a key let go while Command was down, or in another window, is not held for ever', () => {
  const keys = new Keys();
  keys.down(press('Enter', { metaKey: true }));
  keys.up(press('Meta'));
  expect(keys.down(press('Enter'))).toBe(false);
  keys.leave();
  expect(keys.down(press('Enter'))).toBe(false);
});

it('keys without a code of their own are not taken for each other', () => {
  const keys = new Keys();
  keys.down(press('Control', { code: '' }));
  expect(keys.down(press('P', { code: '' }))).toBe(false);
  keys.up(press('p', { code: '' }));
  expect(keys.down(press('p', { code: '' }))).toBe(false);
});

it.each([
  ['Ctrl+Enter', press('Enter', { ctrlKey: true }), true],
  ['Ctrl+P', press('P', { ctrlKey: true }), true],
  ['F4', press('F4'), true],
  ['Enter', press('Enter'), true],
  ['Backspace', press('Backspace'), false],
  ['Ctrl+Z', press('z', { ctrlKey: true }), false],
  ['F', press('F'), false],
])('%s does once what it does: %#', (_, pressed, once) => expect(isOnce(pressed, false)).toBe(once));

it('in a text of several lines Enter repeats', () => expect(isOnce(press('Enter'), true)).toBe(false));

it('knows Tab by its place, whatever Shift makes of its name', () => {
  expect([isTab({ key: 'Unidentified', code: 'Tab' }), isTab({ key: 'Tab', code: '' }), isTab({ key: 'a', code: 'KeyQ' })]).toEqual([true, true, false]);
});
