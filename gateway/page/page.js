// The page without this script is whole. With it: times are the reader's, what is shown stays true, searching needs no
// button. Everything comes as parts of the page itself (?part=...), and every address enters as text.
'use strict';

const everyMs = 5000, addressesMax = 14000;
const $ = id => document.getElementById(id);
const link = $('link'), list = $('list'), nowParts = $('now');
const raw = new Map(); // section id -> its HTML as it came
let events = null, watched = '', stopped = false, asked = 0;

// --- times -----------------------------------------------------------------------------------------------------------
const english = form => new Intl.DateTimeFormat('en-GB', form);
const hhmm = english({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dayForm = english({ weekday: 'short', day: 'numeric', month: 'short' });
const long = english({ day: 'numeric', month: 'short', year: 'numeric' });
const clock = t => hhmm.format(t);
const day = t => dayForm.format(t).replace(',', '');
const nearMs = 12 * 3600000;
const sameDay = (a, b) => a.toDateString() === b.toDateString();

function ago(t, now) {
  const s = Math.round((now - t) / 1000), far = Math.abs(s);
  if (far < 5) return t > now ? 'now' : 'just now';
  const words = far < 90 ? far + '\u00a0s' : far < 5400 ? Math.round(far / 60) + '\u00a0min'
    : far < 172800 ? Math.round(far / 3600) + '\u00a0h' : Math.round(far / 86400) + ' days';
  return s >= 0 ? words + ' ago' : 'in ' + words;
}

function spell(t, form, now) {
  if (form === 'clock') return clock(t);
  if (form === 'day') return day(t);
  if (form === 'ago') return ago(t, now);
  if (form === 'due') return t > now ? ago(t, now) : 'now'; // what should have happened is about to
  if (Math.abs(t - now) > 300 * 86400000) return long.format(t);
  if (sameDay(t, now) || (t > now && t - now < nearMs)) return clock(t);
  const tomorrow = new Date(now);
  tomorrow.setDate(now.getDate() + 1);
  return (sameDay(t, tomorrow) ? 'tomorrow' : day(t)) + ' ' + clock(t);
}

function localTimes(root) {
  const now = new Date();
  for (const e of root.querySelectorAll('time[data-f]')) {
    const text = spell(new Date(e.dateTime), e.dataset.f, now);
    if (e.textContent !== text) e.textContent = text;
    if (!e.title) e.title = e.dateTime;
  }
  for (const e of root.querySelectorAll('text[data-hour]')) {
    const text = clock(new Date(e.dataset.hour)).slice(0, 2);
    if (e.textContent !== text) e.textContent = text;
  }
  for (const svg of root.querySelectorAll('svg.bars:not([data-told])')) {
    const words = [];
    for (const e of svg.querySelectorAll('title[data-a]')) {
      e.textContent += ' ' + clock(new Date(e.dataset.a)) + ' to ' + clock(new Date(e.dataset.z));
      words.push(e.textContent);
    }
    if (words.length) svg.setAttribute('aria-label', words.slice(0, 40).join(', '));
    svg.dataset.told = '1';
  }
}

function midnight() {
  const t = new Date();
  t.setHours(0, 0, 0, 0);
  return t.toISOString().replace('.000', '');
}

// --- parts -----------------------------------------------------------------------------------------------------------
function say(text, kind) {
  if (!link || link.textContent === text) return;
  link.textContent = text;
  link.className = 'link ' + kind;
}

async function part(query) {
  const answer = await fetch('/?' + query, { headers: { Accept: 'text/html' } });
  if (!answer.ok) throw new Error('answer ' + answer.status);
  return new DOMParser().parseFromString(await answer.text(), 'text/html');
}

// The new element takes the old one's place; who was on a link stays on it.
function replace(old, fresh) {
  const at = old.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  const node = document.adoptNode(fresh);
  localTimes(node);
  old.replaceWith(node);
  if (at) for (const a of node.querySelectorAll('a[href]')) if (a.getAttribute('href') === at) return a.focus();
}

async function refreshNow() {
  const doc = await part('part=now');
  for (const fresh of doc.querySelectorAll('section[id]')) {
    const html = fresh.outerHTML, old = $(fresh.id);
    if (!old || raw.get(fresh.id) === html) continue;
    raw.set(fresh.id, html);
    replace(old, fresh);
  }
}

// --- people ----------------------------------------------------------------------------------------------------------
function params() {
  const p = new URLSearchParams(location.search), out = new URLSearchParams();
  for (const key of ['q', 'state', 'group', 'after']) if (p.get(key)) out.set(key, p.get(key));
  return out;
}

const written = p => p.toString().replace(/\+/g, '%20');

async function refreshList() {
  const turn = ++asked, p = params();
  p.set('part', 'list');
  p.set('from', midnight());
  const doc = await part(written(p));
  if (turn !== asked) return;
  const html = doc.body.innerHTML;
  if (raw.get('list') !== html) {
    raw.set('list', html);
    const fresh = document.createElement('div');
    fresh.id = 'list';
    fresh.append(...doc.body.childNodes);
    replace($('list'), fresh);
  }
  watch();
}

function rows() {
  return [...document.querySelectorAll('.people tr[data-address]')];
}

// Who is on the screen is listened to, nobody else.
function watch() {
  let query = '';
  for (const row of rows()) {
    const one = '&address=' + encodeURIComponent(row.dataset.address);
    if (query.length + one.length < addressesMax) query += one;
  }
  if (document.body.dataset.page === 'person') query = '&address=' + encodeURIComponent(document.body.dataset.address);
  if (query === watched && events && events.readyState !== EventSource.CLOSED) return;
  if (events) events.close();
  events = null;
  watched = query;
  if (!query) return say('nobody to listen to', 'live');
  events = new EventSource('/v1/events?' + query.slice(1));
  events.addEventListener('presence', e => changed(JSON.parse(e.data)));
  events.onopen = () => say('live', 'live');
  events.onerror = () => say('connection lost, trying again', 'lost');
}

let stale = new Map(), soon = 0;

function changed(p) {
  if (document.body.dataset.page === 'person') return personChanged(p);
  const row = rows().find(r => r.dataset.address === p.address);
  if (!row || (row.dataset.state === p.state && row.dataset.until === (p.until || ''))) return;
  stale.set(p.address, row.dataset.state !== p.state);
  if (!soon) soon = setTimeout(renewRows, 150);
}

// Only the rows of those who changed are asked for again.
async function renewRows() {
  const todo = stale;
  stale = new Map();
  let query = 'part=rows&from=' + encodeURIComponent(midnight());
  for (const address of todo.keys()) {
    const one = '&address=' + encodeURIComponent(address);
    if (query.length + one.length < addressesMax) query += one;
  }
  try {
    const doc = await part(query), before = new Map(rows().map(r => [r.dataset.address, r]));
    for (const fresh of doc.querySelectorAll('tr[data-address]')) {
      const old = before.get(fresh.dataset.address);
      if (todo.get(fresh.dataset.address)) fresh.className = 'changed';
      if (old) replace(old, fresh);
    }
    raw.delete('list');
  } catch (error) {
    say('connection lost, trying again', 'lost');
  }
  soon = stale.size ? setTimeout(renewRows, 500) : 0;
}

// --- searching -------------------------------------------------------------------------------------------------------
function go(url, how) {
  history[how + 'State'](null, '', url);
  const p = new URLSearchParams(location.search);
  for (const key of ['state', 'group']) document.querySelector(`.find [name=${key}]`).value = p.get(key) || '';
  return refreshList().catch(() => say('connection lost, trying again', 'lost'));
}

function searched(how) {
  const p = params(), q = $('q').value.trim();
  p.delete('after');
  if (q) p.set('q', q); else p.delete('q');
  const query = written(p);
  go('/' + (query ? '?' + query : ''), how);
}

function prepareSearch() {
  const form = document.querySelector('.find');
  let typing = 0;
  form.querySelector('button').hidden = true;
  form.querySelector('kbd').hidden = false;
  form.addEventListener('submit', e => { e.preventDefault(); searched('push'); });
  $('q').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(searched, 200, 'replace'); });
  document.addEventListener('click', e => {
    const a = e.target.closest('#list a');
    if (!a || a.pathname !== '/' || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    e.preventDefault();
    go(a.pathname + a.search, 'push');
    $('q').value = params().get('q') || '';
  });
  addEventListener('popstate', () => {
    $('q').value = new URLSearchParams(location.search).get('q') || '';
    go(location.href, 'replace');
  });
  document.addEventListener('keydown', e => {
    if (e.target.matches('input')) {
      if (e.key === 'ArrowDown') { e.preventDefault(); step(1); }
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === '/') { e.preventDefault(); $('q').focus(); $('q').select(); }
    if (e.key === 'j' || e.key === 'ArrowDown' && e.target.closest('.people')) { e.preventDefault(); step(1); }
    if (e.key === 'k' || e.key === 'ArrowUp' && e.target.closest('.people')) { e.preventDefault(); step(-1); }
  });
}

// From person to person by the arrow keys.
function step(by) {
  const all = rows().map(r => r.querySelector('th a')), at = all.indexOf(document.activeElement);
  const to = all[at + by] || (at < 0 ? all[0] : null);
  if (to) to.focus();
  else if (by < 0) $('q').focus();
}

// --- a person --------------------------------------------------------------------------------------------------------
let lastTold = '';

function personChanged(p) {
  const told = JSON.stringify([p.state, p.until, p.next]);
  if (lastTold && lastTold !== told) refreshPerson();
  lastTold = told;
}

async function refreshPerson() {
  const answer = await fetch(location.pathname + '?from=' + encodeURIComponent(midnight()));
  const doc = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const id of ['state', 'days', 'why', 'told']) {
    const fresh = doc.getElementById(id), html = fresh && fresh.outerHTML;
    if (!fresh || raw.get(id) === html) continue;
    raw.set(id, html);
    replace($(id), fresh);
  }
}

async function act(verb) {
  const answer = await fetch(`/v1/${verb}/` + encodeURIComponent(document.body.dataset.address),
    { method: 'POST', headers: { 'X-Freebusyd': 'act' } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || body.code);
  return body;
}

function element(name, text, ...children) {
  const e = document.createElement(name);
  e.append(text, ...children);
  return e;
}

const fates = {
  'decides': 'decides', 'weaker': 'loses to a stronger one', 'does-not-count': 'does not count', 'not-used': 'not used',
};

const some = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;

function explain(body) {
  const rowsOf = body.covering.map(e => {
    const row = element('tr', '');
    const when = clock(new Date(e.start)) + ' to ' + clock(new Date(e.end));
    for (const text of [when, e.marked, e.traits.join(', '), e.counts_as, fates[e.fate] || e.fate, e.rule || ''])
      row.append(element('td', text));
    return row;
  });
  const head = element('tr', '');
  for (const text of ['When', 'Marked', 'Traits', 'Counts as', 'What became of it', 'By the rule']) {
    const th = element('th', text);
    th.scope = 'col';
    head.append(th);
  }
  const reads = body.reads.map(r => element('p', r.ok
    ? `Read by ${r.method || r.way || 'the server'}: ${some(r.events, 'event')} in ${some(r.requests, 'request')}.`
    : `The server did not answer well: ${r.code}.`));
  const table = element('table', '', element('thead', '', head), element('tbody', '', ...rowsOf));
  const nothing = element('p', 'No event covers this moment.');
  $('answer').replaceChildren(...reads, rowsOf.length ? table : nothing);
}

function prepareButton(button, verb, show) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    $('answer').replaceChildren(element('p', 'The server is being asked.'));
    try {
      show(await act(verb));
      await refreshPerson();
    } catch (error) {
      $('answer').replaceChildren(element('p', error.message));
    }
    button.disabled = false;
    button.focus();
  });
}

function preparePerson() {
  if (document.body.dataset.role !== 'admin') return;
  $('ask').hidden = false;
  prepareButton($('refresh'), 'refresh', body => $('answer').replaceChildren(
    element('p', body.ok ? 'The server answered just now.' : `The server did not answer well: ${body.code}.`)));
  prepareButton($('explain'), 'why', explain);
}

// --- turns -----------------------------------------------------------------------------------------------------------
async function turn() {
  if (stopped) return;
  localTimes(document);
  $('clock').textContent = clock(new Date());
  try {
    if (document.body.dataset.page === 'person') await refreshPerson();
    else { await refreshNow(); await refreshList(); }
    if (events && events.readyState === EventSource.OPEN) say('live', 'live');
  } catch (error) {
    say('connection lost, trying again', 'lost');
  }
}

// A page that nobody looks at asks for nothing.
document.addEventListener('visibilitychange', () => {
  stopped = document.hidden;
  if (stopped && events) { events.close(); events = null; watched = ''; }
  if (!stopped) { turn(); watch(); }
});

localTimes(document);
if (document.body.dataset.page === 'person') { preparePerson(); watch(); }
else prepareSearch();
turn();
setInterval(turn, everyMs);
