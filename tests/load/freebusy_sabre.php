<?php
// load-freebusy's calendars through sabre/vobject's free/busy generator: prints calendars a second of CPU.
//   php freebusy_sabre.php FOLDER
error_reporting(E_ALL & ~E_DEPRECATED);
require '/usr/share/php/Sabre/VObject/autoload.php';

function cpu()
{
    $used = getrusage();
    return $used['ru_utime.tv_sec'] + $used['ru_utime.tv_usec'] / 1e6;
}

$texts = array_map('file_get_contents', glob($argv[1] . '/*.ics'));
$begin = new DateTime('2026-03-02T00:00:00Z');
$until = new DateTime('2026-05-31T00:00:00Z');
$began = cpu();
$periods = 0;
foreach ($texts as $text) {
    $generator = new Sabre\VObject\FreeBusyGenerator($begin, $until, Sabre\VObject\Reader::read($text));
    $periods += substr_count($generator->getResult()->serialize(), 'FREEBUSY');
}
if ($periods == 0) {
    exit(1);
}
echo count($texts) / (cpu() - $began), "\n";
