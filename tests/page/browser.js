// The page in Chromium. Run by tests/integration/page_chromium.py, which starts a daemon and says where it is, and which
// world it is of: the usual one's tests are here, those of the morning in morning.js.
'use strict';
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const env = process.env, base = env.FB_PAGE, hostile = (env.FB_HOSTILE || '').split('\n');
const patience = Number(env.FB_PATIENCE || 60000);
const personPath = address => '/person/' + encodeURIComponent(address);
const problems = [];
let browser;

function check(holds, what) {
  if (!holds) throw new Error(what);
}

function same(got, want, what) {
  const [a, b] = [JSON.stringify(want), JSON.stringify(got)];
  check(a === b, `${what}\n  expected ${a}\n  got      ${b}`);
}

async function until(condition, what) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error('still waiting for: ' + what);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

// A page whose console, errors and requests are watched.
async function open(where, options = {}) {
  const { role = env.FB_READER, ...more } = options;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, timezoneId: 'Europe/Berlin', reducedMotion: 'reduce',
    extraHTTPHeaders: { 'X-Remote-User': role }, ...more,
  });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()} (${page.url()})`);
  });
  page.on('pageerror', error => problems.push(`error: ${error.message} (${page.url()})`));
  page.on('request', request => {
    if (!request.url().startsWith(base + '/')) problems.push(`a request elsewhere: ${request.url()}`);
  });
  await page.goto(base + where);
  return page;
}

const live = page => page.waitForSelector('.link.live');
const shot = (page, name, more = {}) =>
  page.screenshot({ path: path.join(env.FB_SHOTS, name + '.png'), fullPage: true, ...more });
const addresses = page => page.$$eval('tr[data-address]', rows => rows.map(r => r.dataset.address));
const states = page => page.$$eval('tr[data-address]', rows => rows.map(r => r.dataset.state));
const stateOf = async (page, address) => (await states(page))[(await addresses(page)).indexOf(address)];

async function sim(method, where, body) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(env.FB_CONTROL + where, { method, headers, body: JSON.stringify(body) });
  check(answer.ok, `simulator: ${answer.status} ${await answer.text()}`);
}

// Also what axe does not look at unless told: best practice, experimental rules, AAA.
async function everyRule(page, what) {
  await page.evaluate(axe);
  const [found, asked] = await page.evaluate(async () => {
    const all = window.axe.getRules().filter(r => !r.tags.includes('deprecated')).map(r => r.ruleId);
    const rules = Object.fromEntries(all.map(id => [id, { enabled: true }]));
    return [await window.axe.run(document, { rules }), all];
  });
  const seen = new Set(['passes', 'violations', 'incomplete', 'inapplicable'].flatMap(k => found[k].map(r => r.id)));
  same(asked.filter(id => !seen.has(id)), [], `${what}: rules that axe left out`);
  check(found.passes.length > 20, `${what}: axe looked at ${found.passes.length} rules`);
  const where = v => v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + n.failureSummary);
  const broken = found.violations.map(v => [v.id, where(v)]);
  same(broken, [], `${what}: rules of axe`);
}

async function fits(page, what) {
  const [wide, room] = await page.$eval('html', e => [e.scrollWidth, e.clientWidth]);
  check(wide <= room, `${what}: ${wide} pixels in ${room}`);
}

const tests = {
  async 'all is there, times are the reader\'s'() {
    const page = await open('/');
    await live(page);
    check((await page.textContent('#verdict h1')).includes('wrong'), 'the verdict');
    for (const id of ['wrong', 'freshness', 'servers', 'outlets', 'people']) check(await page.isVisible('#' + id), id);
    await until(() => page.evaluate(() => {
      const midnight = new Date();
      midnight.setHours(0, 0, 0, 0);
      return Date.parse(document.querySelector('.people').dataset.from) === midnight.getTime();
    }), 'the scale to begin at midnight in Berlin');
    same(await page.$eval('.scale text', e => e.textContent), '00', 'the first hour of the scale');
    check((await page.$$('.bars .now')).length > 10, 'the present moment is a line');
    await shot(page, 'light');
    await everyRule(page, 'light');
    await fits(page, 'light');
    await page.context().close();
  },

  async 'dark'() {
    const page = await open('/', { colorScheme: 'dark' });
    await live(page);
    await shot(page, 'dark');
    await everyRule(page, 'dark');
    await page.context().close();
  },

  async 'phone'() {
    const page = await open('/', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
    await live(page);
    await shot(page, 'phone');
    await everyRule(page, 'phone');
    await fits(page, 'phone');
    await page.context().close();
  },

  async 'states change live'() {
    const page = await open('/');
    await live(page);
    await page.evaluate(() => { window.sameAsBefore = true; });
    same(await stateOf(page, env.FB_BOB), 'free', 'Bob before');
    const busy = async () => Number(await page.textContent('.chips a[href*="state=busy"] b'));
    const before = await busy();
    const at = t => new Date(Date.now() + t * 1000).toISOString().slice(0, 19) + 'Z';
    await sim('POST', '/appointments', { mailbox: env.FB_BOB, start: at(-60), end: at(3600), busy: 'busy' });
    await until(async () => (await stateOf(page, env.FB_BOB)) === 'busy', 'Bob to be busy');
    await until(() => page.$(`tr[data-address="${env.FB_BOB}"] .b-busy`), 'a bar of it');
    check(await page.evaluate(() => window.sameAsBefore), 'without another page');
    await until(async () => (await busy()) > before, 'the count to follow');
    await page.context().close();
  },

  async 'filters, search, pages, back'() {
    const page = await open('/');
    await live(page);
    const all = await addresses(page);
    same(all.length, 50, 'a page of people');
    await page.click('.pager a[rel=next]');
    await until(async () => {
      const now = await addresses(page);
      return now.length > 0 && !now.some(a => all.includes(a));
    }, 'the next page');
    await page.goBack();
    await until(async () => (await addresses(page))[0] === all[0], 'the first page again');
    await page.click('.chips a[href*="state=oof"]');
    await until(async () => (await states(page)).length && (await states(page)).every(s => s === 'oof'), 'who is out');
    check(page.url().includes('state=oof'), 'the address says it');
    await page.click('.chips a >> nth=0');
    await page.fill('#q', 'PERSON01');
    await until(async () => (await addresses(page)).length === 10, 'ten to be found');
    await page.fill('#q', 'nobody is like that');
    await page.waitForSelector('.nobody');
    await page.fill('#q', '');
    await until(async () => (await addresses(page)).length === 50, 'everybody again');
    await page.fill('#q', hostile[0]);
    await until(async () => (await addresses(page)).length === 1, 'the hostile one to be found');
    same(await addresses(page), [hostile[0]], 'who it is');
    await page.click('.people .group');
    await page.waitForSelector('.within');
    check((await page.textContent('.within bdi')) === env.FB_GROUP, 'the group\'s name');
    await page.context().close();
  },

  async 'by keyboard'() {
    const page = await open('/');
    await live(page);
    await page.keyboard.press('Tab');
    same(await page.evaluate(() => document.activeElement.className), 'skip', 'the first stop');
    await page.keyboard.press('/');
    same(await page.evaluate(() => document.activeElement.id), 'q', 'the slash leads to the search');
    await page.keyboard.type('bob@');
    await until(async () => (await addresses(page)).length === 1, 'Bob to be found');
    await page.keyboard.press('ArrowDown');
    same(await page.evaluate(() => document.activeElement.textContent), env.FB_BOB, 'the arrow leads to him');
    await page.keyboard.press('Enter');
    await page.waitForURL('**' + '/person/**');
    same(await page.textContent('h1'), env.FB_BOB, 'his page');
    await page.context().close();
  },

  async 'hostile names'() {
    const page = await open('/?limit=200');
    await live(page);
    const shown = await page.$$eval('.people th a bdi', e => e.map(b => b.textContent));
    for (const name of hostile) {
      const spelled = name.replace(/[\u202e\u2069\u200f]/g, c => 'U+' + c.charCodeAt(0).toString(16).toUpperCase());
      check(shown.includes(spelled), `${JSON.stringify(spelled)} is shown`);
      await page.goto(base + personPath(name));
      same(await page.textContent('h1'), spelled, 'on a page of its own');
      same(await page.evaluate(() => typeof window.pwned), 'undefined', 'nothing of it ran');
      same((await page.$$('h1 img, h1 script, h1 b')).length, 0, 'nothing of it is an element');
    }
    await page.context().close();
    const phone = await open('/?q=' + 'x'.repeat(100), { viewport: { width: 360, height: 740 } });
    await fits(phone, 'a name of 300 characters in a list');
    await phone.goto(base + personPath(env.FB_LONG));
    await fits(phone, 'a name of 300 characters');
    await phone.context().close();
  },

  async 'a person: day, fortnight, why, buttons'() {
    const page = await open(personPath(env.FB_ANNA), { role: env.FB_ADMIN });
    await live(page);
    same(await page.$$eval('.days-of tbody tr', rows => rows.length), 14, 'fourteen days');
    const next = await page.textContent('.facts-of dt:text-is("Next question") + dd');
    check(/^(now|in \d+\u00a0(s|min))$/.test(next), `when the next question is: ${next}`);
    await page.click('#refresh');
    await until(async () => (await page.textContent('#answer')).includes('answered just now'), 'the answer');
    await page.click('#explain');
    await page.waitForSelector('#answer table');
    check((await page.textContent('#answer')).includes('decides'), 'what decides');
    await shot(page, 'person');
    await everyRule(page, 'a person');
    await page.context().close();
    const ways = { 'person-dark': { colorScheme: 'dark' }, 'person-phone': { viewport: { width: 360, height: 740 } } };
    for (const [name, options] of Object.entries(ways)) {
      const one = await open(personPath(hostile[0]), options);
      await live(one);
      check(!(await one.isVisible('#refresh')), 'a reader has no buttons');
      check((await one.textContent('#why')).includes('mailbox-not-found'), 'why somebody is unknown');
      await shot(one, name);
      await everyRule(one, name);
      await fits(one, name);
      await one.context().close();
    }
  },

  async 'without scripts'() {
    const page = await open('/', { javaScriptEnabled: false });
    check((await page.textContent('#verdict')).includes('wrong'), 'the verdict');
    for (const id of ['wrong', 'freshness', 'servers', 'outlets']) check(await page.isVisible('#' + id), id);
    same((await page.$$('tr[data-address]')).length, 50, 'a page of people');
    check(!(await page.isVisible('kbd')), 'no key that does nothing');
    await shot(page, 'no-script');
    await page.fill('#q', env.FB_ANNA);
    await page.click('.find button');
    same((await page.$$('tr[data-address]')).length, 1, 'the search');
    await page.click('.people th a');
    same(await page.textContent('h1'), env.FB_ANNA, 'the page behind the link');
    check(!(await page.isVisible('#ask')), 'no button that does nothing');
    await page.context().close();
  },

  async 'a browser that goes away in the middle'() {
    for (let i = 0; i < 5; i++) {
      const page = await open('/');
      if (i % 2) await live(page);
      await page.context().close();
    }
    const page = await open('/');
    await live(page);
    await page.context().setOffline(true);
    await page.waitForSelector('.link.lost');
    await page.context().setOffline(false);
    await live(page);
    await page.context().close();
    // Chromium itself says on the console that the network went away.
    problems.splice(0, problems.length, ...problems.filter(p => !p.includes('ERR_INTERNET_DISCONNECTED')));
  },
};

const helpers = { open, live, shot, same, check, until, everyRule, fits, addresses, states };
const chosen = env.FB_WORLD ? require('./morning.js')(helpers)[env.FB_WORLD] : tests;

(async () => {
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args });
  console.log(`Chromium ${browser.version()}, node ${process.version}`);
  let failed = 0;
  for (const [name, test] of Object.entries(chosen)) {
    if (process.argv[2] && !name.includes(process.argv[2])) continue;
    const began = Date.now();
    try {
      await test();
      same(problems, [], 'console, errors and requests elsewhere');
      console.log(`ok      ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name}: ${error.message}`);
      problems.length = 0;
    }
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
})();
