// A morning on which much is wrong (tests/integration/page_morning.py), looked at as an administrator would: what is
// wrong comes first, the greatest first, each with its remedy; and the picture for the README.
'use strict';

module.exports = ({ open, live, shot, same, check, until, everyRule, fits, addresses, states }) => {
  const texts = (page, selector) => page.$$eval(selector, list => list.map(e => e.textContent.trim()));
  const cell = (page, table, row, label) => page.textContent(`#${table} tr:has(th:has-text("${row}")) [data-label="${label}"]`);

  // Ten o'clock where the reader is, whenever this runs.
  function tenOClock() {
    const east = (10 - new Date().getUTCHours() + 36) % 24 - 12;
    return 'Etc/GMT' + (east > 0 ? '-' : '+') + Math.abs(east);
  }

  // Of a quiet morning.
  const picture = {
    async 'the picture for the README'() {
      const page = await open('/', { timezoneId: tenOClock(), viewport: { width: 1180, height: 1640 } });
      await live(page);
      await until(async () => (await page.textContent('#outlets')).includes('1 event stream'), 'the page to count itself');
      await shot(page, 'picture', { fullPage: false });
      await page.context().close();
    },
  };

  const morning = {
    async 'what is wrong, worst first'() {
      const page = await open('/');
      await live(page);
      const codes = await texts(page, '#wrong .facts code');
      same(codes.slice(0, 4), ['throttled', 'logon-rejected', 'mailbox-not-found', 'tcp-refused'], 'the causes');
      same(codes.slice(4), ['tcp-refused', 'certificate-ends-soon', 'certificate-ends-soon'], 'the outlet, what is soon');
      same((await texts(page, '#wrong .many b')).slice(0, 4), ['5', '3', '2', '1'], 'how many people');
      const items = await page.$$('#wrong li:not(.soon)');
      for (const item of items) {
        const text = await item.textContent();
        for (const word of ['since', 'Evidence', 'What to do']) check(text.includes(word), `${word} in ${text}`);
        const remedy = await item.$eval('.remedy', e => e.textContent.replace('What to do', '').trim());
        check(remedy.length > 20, `a remedy: ${remedy}`);
      }
      const title = await page.textContent('#verdict h1');
      same(title.replace(/\D/g, ''), String(items.length), `the verdict counts them: ${title}`);
      await page.context().close();
    },

    async 'servers and outlets'() {
      const page = await open('/');
      await live(page);
      const servers = await texts(page, '#servers tbody th bdi');
      same(servers[3], 'hq', `the one that is well comes last: ${servers}`);
      const row = name => label => cell(page, 'servers', name, label);
      const hq = row('hq'), plant = row('plant');
      check((await page.textContent('#servers')).includes('Exchange 2003 (6.5'), 'the version of hq');
      check((await page.textContent('#servers')).includes('Exchange 2007 (08.01'), 'the version of plant');
      same(await hq('Logon'), 'basic', 'the scheme in use');
      check(/^\d of 8$/.test(await hq('Connections')), 'connections');
      check(/^[\d.]+ of 50$/.test(await hq('Requests/s')), 'requests beside the budget');
      check(/^\d+\u00a0ms$/.test(await hq('Latency')), 'latency');
      check(/^until \w+/.test(await hq('Certificate')), 'the certificate\'s end');
      check(/^changed .*ago$/.test(await hq('Password')) || /now$/.test(await hq('Password')), 'the age of the password');
      check(/^9\D+11\D+fresh$/.test(await hq('People')), `people: ${await hq('People')}`);
      check(/backing off.*503, to be repeated after 600 s; next try in \d+\u00a0min/.test(await plant('State')),
        `the back-off in the server's words: ${await plant('State')}`);
      check((await row('lab')('State')).includes('401'), 'the refused logon');
      const outlets = await texts(page, '#outlets tbody th');
      same(outlets, ['mqtt', 'wall', 'HTTP'], 'outlets, the one that is down first');
      const mqtt = label => cell(page, 'outlets', 'mqtt', label);
      check(Number(await mqtt('Failures')) >= 1 && /^\d+$/.test(await mqtt('Waiting')), 'its queue and failures');
      check(Number(await cell(page, 'outlets', 'wall', 'Handed over')) >= 14, 'what the other one handed over');
      await page.context().close();
    },

    async 'freshness, punctuality, what comes'() {
      const page = await open('/');
      await live(page);
      const figure = name => page.textContent(`.figures div:has(dt:text-is("${name}")) dd`);
      same(await figure('fresh') > 0, true, 'fresh');
      check(Number(await figure('never read')) === 6, `never read: ${await figure('never read')}`);
      for (const name of ['ageing', 'stale']) check(/^\d+$/.test(await figure(name)), name);
      check(/ago|just now/.test(await figure('oldest answer')), `oldest: ${await figure('oldest answer')}`);
      check(/no changes|%.*ms late/.test(await figure('on time, last hour')), 'punctuality');
      check(/\d\d:\d\d/.test(await figure('next change')), 'the next change');
      await until(async () => /\d\d:\d\d.* people|\d\d:\d\d.* person/.test(await figure('next mass change')), 'the next mass change');
      await page.context().close();
    },

    async 'a state within a group'() {
      const page = await open('/');
      await live(page);
      await page.click('.people .group:has(bdi:text-is("office"))');
      await page.waitForSelector('.within');
      const office = await addresses(page);
      same(office.length, 6, 'the office');
      await page.click('.chips a[href*="state=oof"]');
      await until(async () => (await addresses(page)).length === 1, 'who of it is out');
      check((await states(page)).every(s => s === 'oof') && page.url().includes('group=office'), page.url());
      await page.fill('#q', 'nobody-like-that');
      await page.waitForSelector('.nobody');
      await page.click('.nobody a');
      await until(async () => (await addresses(page)).length > office.length, 'everybody again');
      same(await page.inputValue('#q'), '', 'the search is empty, too');
      await page.context().close();
    },

    async 'pictures of it'() {
      const zone = { timezoneId: tenOClock() };
      const ways = {
        troubles: {}, 'troubles-dark': { colorScheme: 'dark' },
        'troubles-phone': { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
      };
      for (const [name, options] of Object.entries(ways)) {
        const page = await open('/', { ...zone, ...options });
        await live(page);
        await shot(page, name);
        await everyRule(page, name);
        await fits(page, name);
        await page.context().close();
      }
    },
  };
  return { morning, picture };
};
