<?php
/**
 * Tells Vestnik what happens in the shop.
 *
 * A hook only writes a row to ?:vestnik_events: what it is about, no personal data. Rows are posted when the buyer
 * already has his page, and those that fail go again by the cron (controllers/frontend/vestnik.php). Nothing here may
 * stop a checkout, so each hook catches whatever happens to it.
 */

use Tygh\Registry;

defined('BOOTSTRAP') or die('Access denied');

/** A post may take so many seconds. Where PHP runs as an Apache module, the buyer waits for it. */
const FN_VESTNIK_TIMEOUT = 2;

/** Rows posted after one page, and the seconds all of them may take. */
const FN_VESTNIK_AFTER_PAGE = [20, 5];

/** What could not be posted for so many seconds is given up: Vestnik reads the shop back by itself. */
const FN_VESTNIK_KEEP = 259200;

/** Orders that are not finished yet: the buyer is at the payment page, or has left it. */
const FN_VESTNIK_UNFINISHED = 'N';

// --- What happens in the shop. Arguments have defaults, since CS-Cart's versions pass different numbers of them.

/** Also runs when an order is edited, and for each vendor's part of an order. */
function fn_vestnik_place_order($order_id = 0, $action = '', $order_status = '', $cart = [], $auth = [])
{
    fn_vestnik_note('order', $order_id, empty($cart['order_id']) ? 'created' : 'updated');
}

/** At a checkout this runs beside `place_order`: both come to one row, as they are about one order. */
function fn_vestnik_change_order_status_post($order_id = 0, $status_to = '', $status_from = '')
{
    $codes = ['status_from' => (string) $status_from, 'status_to' => (string) $status_to];
    fn_vestnik_note('order', $order_id, 'updated', $codes);
}

/** The order has a tracking number now. */
function fn_vestnik_create_shipment_post($shipment_data = [], $order_info = [])
{
    fn_vestnik_note('order', $shipment_data['order_id'] ?? $order_info['order_id'] ?? 0, 'updated');
}

function fn_vestnik_update_profile($action = '', $user_data = [], $current_user_data = [])
{
    // Administrators and vendors' people are none of the shop's customers.
    if (($user_data['user_type'] ?? $current_user_data['user_type'] ?? 'C') === 'C') {
        $id = $user_data['user_id'] ?? $current_user_data['user_id'] ?? 0;
        fn_vestnik_note('customer', $id, $action === 'add' ? 'created' : 'updated');
    }
}

function fn_vestnik_update_product_post($product_data = [], $product_id = 0, $lang_code = '', $create = false)
{
    fn_vestnik_note('product', $product_id, $create ? 'created' : 'updated');
}

// --- The queue.

/** One row for each order, customer or product of a request, however many hooks speak of it. */
function fn_vestnik_note($kind, $id, $action, array $codes = [])
{
    static $rows = [];

    try {
        if (!(int) $id || !fn_vestnik_wanted($kind)) {
            return;
        }
        if (!$rows) {
            register_shutdown_function('fn_vestnik_after_page');
        }
        $ids = ['order' => 'order_id', 'customer' => 'user_id', 'product' => 'product_id'];
        $key = $kind . (int) $id;
        $known = $rows[$key] ?? [];
        $event = [
            'event' => $known['event'] ?? $kind . '.' . $action,
            $ids[$kind] => (string) (int) $id,
            // Of several changes: where the order was before the first, and where it is after the last.
            'status_from' => ($known['status_from'] ?? '') ?: ($codes['status_from'] ?? ''),
            'status_to' => ($codes['status_to'] ?? '') ?: ($known['status_to'] ?? ''),
            'occurred_at' => (new DateTime('now', new DateTimeZone('UTC')))->format('Y-m-d\TH:i:s.u\Z'),
        ];
        $rows[$key] = $event + ['event_id' => $known['event_id'] ?? bin2hex(random_bytes(16))];
        // In the order in which they happen, also within a millisecond.
        static $noted_at = 0;
        $noted_at = max($noted_at + 1, (int) (microtime(true) * 1000));
        db_query('REPLACE INTO ?:vestnik_events ?e', [
            'event_id' => $rows[$key]['event_id'],
            'body' => json_encode($event),
            'created_at' => $noted_at,
            'next_at' => time(),
            'tries' => 0,
            'problem' => '',
        ]);
    } catch (\Throwable $failed) {
        fn_vestnik_log(get_class($failed));
    }
}

function fn_vestnik_wanted($kind)
{
    if (!fn_vestnik_setting('url') || !fn_vestnik_setting('secret')) {
        return false;
    }

    return $kind === 'order' || fn_vestnik_setting($kind . 's') === 'Y';
}

/** Runs at the end of a request that noted something. */
function fn_vestnik_after_page()
{
    try {
        // The buyer has his page and waits for nothing any more.
        if (function_exists('fastcgi_finish_request')) {
            fastcgi_finish_request();
        } elseif (function_exists('litespeed_finish_request')) {
            litespeed_finish_request();
        }
        // While Vestnik cannot be reached, not every page tries again.
        $failing = 'SELECT COUNT(*) FROM ?:vestnik_events WHERE tries > 0 AND next_at > ?i';
        if (!db_get_field($failing, time())) {
            list($most, $within) = FN_VESTNIK_AFTER_PAGE;
            fn_vestnik_flush($most, $within);
        }
    } catch (\Throwable $failed) {
        fn_vestnik_log(get_class($failed));
    }
}

/**
 * Posts what is due, the oldest first, until $within seconds are over or Vestnik cannot be reached.
 *
 * @return array{posted: int, left: int, problem: string}
 */
function fn_vestnik_flush($most, $within)
{
    $until = microtime(true) + $within;
    $posted = 0;
    $problem = '';
    $due = db_get_array(
        'SELECT * FROM ?:vestnik_events WHERE next_at <= ?i ORDER BY created_at, event_id LIMIT ?i',
        time(),
        $most
    );
    foreach ($due as $row) {
        if ($problem !== '' || microtime(true) > $until) {
            break;
        }
        $problem = fn_vestnik_send($row);
        $posted += $problem === '' ? 1 : 0;
    }

    return [
        'posted' => $posted,
        'left' => (int) db_get_field('SELECT COUNT(*) FROM ?:vestnik_events WHERE tries >= ?i', 0),
        'problem' => $problem,
    ];
}

/** Posts one row. Returns what went wrong, or '' where the row is done with. */
function fn_vestnik_send(array $row)
{
    // Whoever moves `next_at` has the row: a page and the cron may both be at it. Told twice it would be known by its id.
    $wait = min(60 * 2 ** min((int) $row['tries'], 6), 3600);
    $taken = db_query(
        'UPDATE ?:vestnik_events SET next_at = ?i, tries = tries + 1 WHERE event_id = ?s AND next_at = ?i',
        time() + $wait,
        $row['event_id'],
        $row['next_at']
    );
    if ($taken === 0) {
        return '';
    }
    $event = fn_vestnik_filled(json_decode($row['body'], true));
    $status = $event ? fn_vestnik_post($event, $row['event_id']) : 200;
    // What cannot be read today cannot be read tomorrow; everything else may be put right until then.
    $over = $status >= 200 && $status < 300 || $status === 400 || $status === 413;
    $problem = $status >= 200 && $status < 300 ? '' : ($status ? "HTTP $status" : 'no answer');
    if ($problem !== '') {
        fn_vestnik_log($problem);
    }
    if ($over || $row['created_at'] / 1000 < time() - FN_VESTNIK_KEEP) {
        db_query('DELETE FROM ?:vestnik_events WHERE event_id = ?s', $row['event_id']);
    } else {
        db_query('UPDATE ?:vestnik_events SET problem = ?s WHERE event_id = ?s', $problem, $row['event_id']);
    }

    return $over ? '' : $problem;
}

/** The event as it is posted; in the full form with its object as it is now. Null: nobody wants to hear of it. */
function fn_vestnik_filled(array $event)
{
    $full = fn_vestnik_setting('form') === 'full';
    if (isset($event['order_id'])) {
        $id = (int) $event['order_id'];
        $order = db_get_row('SELECT status, is_parent_order FROM ?:orders WHERE order_id = ?i', $id);
        // A parent only holds the vendors' orders together: each of those has an event of its own.
        if (!$order || $order['status'] === FN_VESTNIK_UNFINISHED || $order['is_parent_order'] === 'Y') {
            return null;
        }
        $event['order'] = $full ? fn_vestnik_order(fn_get_order_info($id) ?: []) : null;
    } elseif (isset($event['user_id']) && $full) {
        $event['customer'] = fn_vestnik_customer(fn_get_user_info((int) $event['user_id'], false) ?: []);
    }

    return array_filter($event, static function ($value) {
        return $value !== null && $value !== '' && $value !== [];
    });
}

/**
 * Signed as Standard Webhooks have it.
 *
 * @return int the HTTP status, 0 where there was no answer
 */
function fn_vestnik_post(array $event, $event_id)
{
    $body = json_encode($event, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE);
    $at = time();
    $key = base64_decode(preg_replace('/^whsec_/', '', trim(fn_vestnik_setting('secret'))));
    $curl = curl_init(trim(fn_vestnik_setting('url')));
    curl_setopt_array($curl, [
        CURLOPT_POST => true,
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_HTTPHEADER => [
            'Content-Type: application/json',
            'Expect:',
            "webhook-id: $event_id",
            "webhook-timestamp: $at",
            'webhook-signature: v1,' . base64_encode(hash_hmac('sha256', "$event_id.$at.$body", $key, true)),
        ],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FOLLOWLOCATION => false,
        CURLOPT_CONNECTTIMEOUT => FN_VESTNIK_TIMEOUT,
        CURLOPT_TIMEOUT => FN_VESTNIK_TIMEOUT,
    ]);
    $answer = curl_exec($curl);

    return $answer === false ? 0 : (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
}

// --- The full form: only what is named here leaves the shop.

function fn_vestnik_order(array $order)
{
    if (!$order) {
        return null;
    }
    $fields = [
        'order_id', 'user_id', 'company_id', 'is_parent_order', 'parent_order_id', 'status', 'timestamp', 'total',
        'firstname', 'lastname', 'email', 'phone', 'lang_code', 'notes', 's_firstname', 's_lastname', 's_phone',
        's_address', 's_address_2', 's_city', 's_state_descr', 's_country_descr', 's_zipcode', 'b_phone',
    ];
    $store = ['name', 'city', 'pickup_address', 'pickup_phone', 'pickup_time'];
    $line = ['item_id', 'product_id', 'product_code', 'product', 'price', 'amount', 'company_id'];
    $shipping = [];
    foreach (fn_vestnik_list($order['shipping'] ?? []) as $chosen) {
        $shipping[] = fn_vestnik_only($chosen, ['shipping_id', 'shipping', 'module', 'store_location_id'])
            + ['store_data' => fn_vestnik_only($chosen['store_data'] ?? [], $store)];
    }

    return fn_vestnik_only($order, $fields) + [
        'products' => array_map(static function ($given) use ($line) {
            return fn_vestnik_only($given, $line);
        }, fn_vestnik_list($order['products'] ?? [])),
        'product_groups' => array_map(static function ($given) {
            return fn_vestnik_only($given, ['name', 'company_id']);
        }, fn_vestnik_list($order['product_groups'] ?? [])),
        'fields' => array_filter((array) ($order['fields'] ?? []), 'is_scalar'),
        'shipping' => $shipping,
        'shipment' => fn_vestnik_shipment((int) $order['order_id']),
    ];
}

function fn_vestnik_customer(array $user)
{
    return fn_vestnik_only($user, [
        'user_id', 'user_type', 'status', 'firstname', 'lastname', 'email', 'phone', 'lang_code', 'timestamp',
    ]);
}

/** The newest parcel of an order. */
function fn_vestnik_shipment($order_id)
{
    list($shipments) = fn_get_shipments_info(['order_id' => $order_id, 'advanced_info' => false]);
    $newest = [];
    foreach (fn_vestnik_list($shipments) as $shipment) {
        if ((int) $shipment['shipment_id'] > (int) ($newest['shipment_id'] ?? 0)) {
            $newest = $shipment;
        }
    }

    return fn_vestnik_only($newest, ['shipment_id', 'carrier', 'tracking_number']);
}

function fn_vestnik_only($given, array $names)
{
    return array_filter(array_intersect_key((array) $given, array_flip($names)), 'is_scalar');
}

function fn_vestnik_list($given)
{
    return array_values(array_filter((array) $given, 'is_array'));
}

// --- Around it.

function fn_vestnik_setting($name)
{
    return (string) Registry::get('addons.vestnik.' . $name);
}

/** Whether the cron may come in. */
function fn_vestnik_admits($key)
{
    $due = fn_vestnik_setting('cron_key');

    return $due !== '' && is_string($key) && hash_equals($due, $key);
}

/** Words of ours only: nothing that was posted, no address, no key. */
function fn_vestnik_log($problem)
{
    fn_log_event('general', 'runtime', ['message' => 'Vestnik: ' . $problem]);
}

/** What the settings show of the queue. */
function fn_vestnik_info()
{
    $left = (int) db_get_field('SELECT COUNT(*) FROM ?:vestnik_events WHERE tries >= ?i', 0);
    $problem = (string) db_get_field('SELECT MAX(problem) FROM ?:vestnik_events WHERE tries > ?i', 0);

    return __('vestnik_waiting') . ': ' . $left . ($problem === '' ? '' : ' (' . htmlspecialchars($problem) . ')');
}
