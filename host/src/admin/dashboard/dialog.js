// Asks before something is changed, does it, and shows what came of it.

import { el, put } from './dom.js';
import { problemNote } from './pieces.js';

// The focus goes back to the button, or to the one that took its place meanwhile.
function giveBack(opener) {
  const same = opener?.dataset?.testid;
  const place = opener?.isConnected ? opener : same ? document.querySelector(`main [data-testid="${same}"]`) : null;
  (place ?? document.querySelector('h1'))?.focus({ preventScroll: true });
}

// `run(told)` does it and answers a text; `told(text)` shows how far it is.
// The promise is fulfilled when the dialog is closed: whether it was done.
export function confirm({ title, text, body, action, danger, run }) {
  const told = el('div', { class: 'dialog-result', role: 'status', data: { testid: 'dialog-result' } });
  const go = el('button', { class: danger ? 'danger' : 'primary', value: 'go', data: { testid: 'dialog-go' } }, action);
  const cancel = el('button', { type: 'button', data: { testid: 'dialog-close' } }, 'Cancel');
  const form = el('form', { method: 'dialog' },
    el('h2', { id: 'dialog-title' }, title),
    [text].flat().map((line) => el('p', {}, line)),
    body,
    told,
    el('div', { class: 'dialog-buttons' }, cancel, go));
  const dialog = el('dialog', { 'aria-labelledby': 'dialog-title', data: { testid: 'dialog' } }, form);
  const opener = document.activeElement;
  let done = false;

  cancel.addEventListener('click', () => dialog.close());
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (done || go.disabled) return;
    go.disabled = true;
    dialog.setAttribute('aria-busy', 'true');
    put(told, 'Working…');
    try {
      const said = await run((progress) => put(told, progress));
      done = true;
      put(told, el('p', { class: 'done' }, said));
      for (const field of form.querySelectorAll('input, select')) field.disabled = true;
      go.hidden = true;
      cancel.textContent = 'Close';
      cancel.focus();
    } catch (error) {
      put(told, problemNote(error));
      go.disabled = false;
    } finally {
      dialog.removeAttribute('aria-busy');
    }
  });

  document.body.append(dialog);
  dialog.showModal();
  const first = body?.querySelector?.('select, input');
  // Enter must not destroy anything by itself.
  (first ?? (danger ? cancel : go)).focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      giveBack(opener);
      resolve(done);
    }, { once: true });
  });
}
