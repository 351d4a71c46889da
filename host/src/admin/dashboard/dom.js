// Makes elements. Invariant: text from outside goes in as text nodes only; no
// markup is ever parsed, no style or handler is set by attribute.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === 'data') {
      for (const [key, item] of Object.entries(value)) element.dataset[key] = item;
    } else if (name === 'style' || name.startsWith('on')) {
      throw new Error(`${name} is not set by attribute`);
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  add(element, children);
  return element;
}

// Adds nodes and texts; lists are opened, nothing is left out but null, undefined and false.
export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function el(name, props, ...children) {
  return fill(document.createElement(name), props, children);
}

export function svg(name, props, ...children) {
  return fill(document.createElementNS(SVG, name), props, children);
}

// Replaces what an element holds.
export function put(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

// Puts nodes into an element in this order, moving only what is out of place, so
// that the focus and an open selection stay.
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

// Runs at intervals until the signal.
export function every(ms, run, signal) {
  const timer = setInterval(run, ms);
  signal.addEventListener('abort', () => clearInterval(timer));
}

// A function that runs soon after it is called, and at most once in that time.
export function soon(ms, run, signal) {
  let timer = null;
  signal?.addEventListener('abort', () => clearTimeout(timer));
  return () => {
    if (timer !== null || signal?.aborted) return;
    timer = setTimeout(() => {
      timer = null;
      run();
    }, ms);
  };
}
