<?php
/**
 * What the cron calls: `vestnik.flush` posts what is waiting, `vestnik.ping` looks whether Vestnik can be reached.
 * Both want the key of the settings.
 */

defined('BOOTSTRAP') or die('Access denied');

if ($mode === 'flush' || $mode === 'ping') {
    header('Content-Type: application/json');
    if (!fn_vestnik_admits($_REQUEST['key'] ?? null)) {
        http_response_code(403);
        echo json_encode(['problem' => 'key: not the one of the settings']);
        exit;
    }
    if ($mode === 'ping') {
        echo json_encode(['status' => fn_vestnik_post(['event' => 'ping'], bin2hex(random_bytes(16)))]);
    } else {
        echo json_encode(fn_vestnik_flush(500, 50));
    }
    exit;
}
