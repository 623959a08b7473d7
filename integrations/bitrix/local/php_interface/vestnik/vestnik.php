<?php
/**
 * Tells Vestnik of a site's orders and users.
 *
 * A handler only writes a row: what it is about, no personal data. Rows are posted when the buyer already has his page,
 * with the order as it is then, and those that fail go again by an agent. Nothing here may stop an order, so each handler
 * catches whatever happens to it.
 */

namespace Vestnik;

use Bitrix\Main\Application;
use Bitrix\Main\Config\Option;
use Bitrix\Main\Event;
use Bitrix\Main\EventManager;
use Bitrix\Main\Loader;
use Bitrix\Sale\Order;

final class Shop
{
    /** A post may take so many seconds. Where PHP runs as an Apache module, the buyer waits for it. */
    private const TIMEOUT = 2;

    /** Rows posted after one page, and the seconds all of them may take; the same for the agent. */
    private const AFTER_PAGE = [20, 5];
    private const BY_AGENT = [200, 30];

    /** What could not be posted for so many seconds is given up. */
    private const KEEP = 259200;

    private const ADMINISTRATORS = 1;
    private const VERSION = '1';

    /** @var array<string, array> rows of this request, by what they are about */
    private static $noted = [];

    public static function listen(): void
    {
        $events = EventManager::getInstance();
        $events->addEventHandler('sale', 'OnSaleOrderSaved', [self::class, 'onOrder']);
        $events->addEventHandlerCompatible('main', 'OnAfterUserAdd', [self::class, 'onUserAdd']);
        $events->addEventHandlerCompatible('main', 'OnAfterUserUpdate', [self::class, 'onUserUpdate']);
    }

    /** Order, payments and parcels are saved together, and several times in one act of one person. */
    public static function onOrder(Event $event): void
    {
        self::note('order', static function () use ($event) {
            return [$event->getParameter('ENTITY')->getId(), $event->getParameter('IS_NEW')];
        });
    }

    public static function onUserAdd(&$fields): void
    {
        self::note('customer', static function () use ($fields) {
            return [$fields['RESULT'] ?? $fields['ID'] ?? 0, true];
        });
    }

    public static function onUserUpdate(&$fields): void
    {
        self::note('customer', static function () use ($fields) {
            return [!empty($fields['RESULT']) ? $fields['ID'] ?? 0 : 0, false];
        });
    }

    /** Agents are called again under the name that they return. */
    public static function agent(): string
    {
        try {
            self::flush(...self::BY_AGENT);
        } catch (\Throwable $failed) {
            self::log(get_class($failed));
        }

        return '\Vestnik\Shop::agent();';
    }

    /** @return int the HTTP status that Vestnik answers with, 0 where there was no answer */
    public static function ping(): int
    {
        return self::post(['event' => 'ping'], bin2hex(random_bytes(16)));
    }

    // --- The queue.

    /** One row for each order or user of a request, however often they are saved. */
    private static function note(string $kind, callable $about): void
    {
        try {
            [$id, $new] = $about();
            $key = $kind . (int) $id;
            if (!(int) $id || isset(self::$noted[$key]) || !self::wanted($kind)) {
                return;
            }
            if (!self::$noted) {
                self::install();
                register_shutdown_function([self::class, 'afterPage']);
            }
            self::$noted[$key] = [
                'EVENT_ID' => bin2hex(random_bytes(16)),
                'KIND' => $kind,
                'OBJECT_ID' => (int) $id,
                'ACTION' => $new ? 'created' : 'updated',
                'CREATED_AT' => (int) (microtime(true) * 1000),
                'NEXT_AT' => time(),
                'TRIES' => 0,
            ];
            $helper = Application::getConnection()->getSqlHelper();
            [$columns, $values] = $helper->prepareInsert('b_vestnik_event', self::$noted[$key]);
            self::query("INSERT INTO b_vestnik_event ($columns) VALUES ($values)");
        } catch (\Throwable $failed) {
            self::log(get_class($failed));
        }
    }

    public static function afterPage(): void
    {
        try {
            if (function_exists('fastcgi_finish_request')) {
                fastcgi_finish_request();
            } elseif (function_exists('litespeed_finish_request')) {
                litespeed_finish_request();
            }
            // While Vestnik cannot be reached, not every page tries again.
            $failing = 'SELECT EVENT_ID FROM b_vestnik_event WHERE TRIES > 0 AND NEXT_AT > ' . time() . ' LIMIT 1';
            if (!Application::getConnection()->query($failing)->fetch()) {
                self::flush(...self::AFTER_PAGE);
            }
        } catch (\Throwable $failed) {
            self::log(get_class($failed));
        }
    }

    /** Posts what is due, the oldest first, until the seconds are over or Vestnik cannot be reached. */
    private static function flush(int $most, int $within): void
    {
        $until = microtime(true) + $within;
        $due = Application::getConnection()->query(
            'SELECT * FROM b_vestnik_event WHERE NEXT_AT <= ' . time() . " ORDER BY CREATED_AT, EVENT_ID LIMIT $most"
        )->fetchAll();
        foreach ($due as $row) {
            if (microtime(true) > $until || !self::send($row)) {
                return;
            }
        }
    }

    /** @return bool whether the next one is worth a try */
    private static function send(array $row): bool
    {
        // Whoever moves NEXT_AT has the row: a page and the agent may both be at it.
        $next = time() + min(60 * 2 ** min((int) $row['TRIES'], 6), 3600);
        $same = "EVENT_ID = '" . preg_replace('/[^0-9a-f]/', '', $row['EVENT_ID']) . "'";
        $connection = Application::getConnection();
        self::query(
            "UPDATE b_vestnik_event SET NEXT_AT = $next, TRIES = TRIES + 1 WHERE $same AND NEXT_AT = " . (int) $row['NEXT_AT']
        );
        if (!$connection->getAffectedRowsCount()) {
            return true;
        }
        $object = $row['KIND'] === 'order' ? self::order((int) $row['OBJECT_ID']) : self::customer((int) $row['OBJECT_ID']);
        $status = $object === null ? 200 : self::post([
            'event' => $row['KIND'] . '.' . $row['ACTION'],
            'occurred_at' => gmdate('Y-m-d\TH:i:s', intdiv((int) $row['CREATED_AT'], 1000)) . sprintf('.%03dZ', $row['CREATED_AT'] % 1000),
            $row['KIND'] => $object,
        ], $row['EVENT_ID']);
        // What cannot be read today cannot be read tomorrow; everything else may be put right until then.
        $over = ($status >= 200 && $status < 300) || $status === 400 || $status === 413;
        if ($status < 200 || $status >= 300) {
            self::log($status ? "HTTP $status" : 'no answer');
        }
        if ($over || $row['CREATED_AT'] / 1000 < time() - self::KEEP) {
            self::query("DELETE FROM b_vestnik_event WHERE $same");
        }

        return $over;
    }

    /** Signed as Standard Webhooks have it. */
    private static function post(array $event, string $id): int
    {
        $body = json_encode($event, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE);
        $at = time();
        $key = base64_decode(preg_replace('/^whsec_/', '', trim(self::setting('secret'))));
        $curl = curl_init(trim(self::setting('url')));
        curl_setopt_array($curl, [
            CURLOPT_POST => true,
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_HTTPHEADER => [
                'Content-Type: application/json',
                'Expect:',
                "webhook-id: $id",
                "webhook-timestamp: $at",
                'webhook-signature: v1,' . base64_encode(hash_hmac('sha256', "$id.$at.$body", $key, true)),
            ],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_CONNECTTIMEOUT => self::TIMEOUT,
            CURLOPT_TIMEOUT => self::TIMEOUT,
        ]);

        return curl_exec($curl) === false ? 0 : (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    }

    // --- What leaves the site: only what is named here.

    private static function order(int $id): ?array
    {
        Loader::includeModule('sale');
        $order = Order::load($id);
        if (!$order) {
            return null;
        }
        $properties = $order->getPropertyCollection();

        return [
            'id' => (string) $order->getId(),
            'account_number' => (string) $order->getField('ACCOUNT_NUMBER'),
            'site_id' => (string) $order->getSiteId(),
            'user_id' => self::buyer((int) $order->getUserId()),
            'status_id' => (string) $order->getField('STATUS_ID'),
            'payed' => $order->isPaid() ? 'Y' : 'N',
            'canceled' => $order->isCanceled() ? 'Y' : 'N',
            'reason_canceled' => (string) $order->getField('REASON_CANCELED'),
            'date_insert' => self::time($order->getField('DATE_INSERT')),
            'price' => (string) $order->getPrice(),
            'currency' => (string) $order->getCurrency(),
            'comment' => (string) $order->getField('USER_DESCRIPTION'),
            'name' => self::value($properties->getPayerName()),
            'email' => self::value($properties->getUserEmail()),
            'phone' => self::value($properties->getPhone()),
            'address' => self::value($properties->getAddress()),
            'properties' => self::properties($properties),
            'items' => self::items($order),
            'shipments' => self::shipments($order),
        ];
    }

    /** The id of the user who bought; 0: nobody in particular. */
    private static function buyer(int $id): string
    {
        return self::isAnonymous(\CUser::GetByID($id)->Fetch() ?: []) ? '0' : (string) $id;
    }

    /**
     * Orders of people who did not sign in may all belong to one user, whom CSaleUser::GetAnonymousUserID() makes with
     * such an address: as one person they would get each other's messages.
     */
    private static function isAnonymous(array $user): bool
    {
        return (bool) preg_match('/^anonymous_[^@]*@example\.com$/i', (string) ($user['EMAIL'] ?? ''));
    }

    private static function properties(iterable $properties): array
    {
        $told = [];
        foreach ($properties as $property) {
            $code = (string) $property->getField('CODE');
            if ($code !== '' && is_scalar($property->getValue())) {
                $told[$code] = (string) $property->getValue();
            }
        }

        return $told;
    }

    private static function items(Order $order): array
    {
        $told = [];
        foreach ($order->getBasket()->getBasketItems() as $item) {
            $article = '';
            $values = $item->getPropertyCollection()->getPropertyValues();
            foreach (self::setting('article') as $code) {
                $article = $article !== '' ? $article : (string) ($values[$code]['VALUE'] ?? '');
            }
            $told[] = [
                'id' => (string) $item->getId(),
                'product_id' => (string) $item->getProductId(),
                'xml_id' => (string) $item->getField('PRODUCT_XML_ID'),
                'article' => $article,
                'name' => (string) $item->getField('NAME'),
                'quantity' => (string) $item->getQuantity(),
                'price' => (string) $item->getPrice(),
            ];
        }

        return $told;
    }

    private static function shipments(Order $order): array
    {
        $told = [];
        foreach ($order->getShipmentCollection() as $shipment) {
            // The system's one holds what is in no parcel yet.
            if (!$shipment->isSystem()) {
                $told[] = [
                    'id' => (string) $shipment->getId(),
                    'status_id' => (string) $shipment->getField('STATUS_ID'),
                    'deducted' => (string) $shipment->getField('DEDUCTED'),
                    'tracking_number' => (string) $shipment->getField('TRACKING_NUMBER'),
                    'delivery_name' => (string) $shipment->getField('DELIVERY_NAME'),
                    'store_id' => (string) $shipment->getStoreId(),
                ];
            }
        }

        return $told;
    }

    /** Null: an administrator, or nobody in particular. */
    private static function customer(int $id): ?array
    {
        $user = \CUser::GetByID($id)->Fetch();
        if (!$user || self::isAnonymous($user) || in_array(self::ADMINISTRATORS, array_map('intval', \CUser::GetUserGroup($id)), true)) {
            return null;
        }

        return [
            'id' => (string) $user['ID'],
            'name' => (string) $user['NAME'],
            'last_name' => (string) $user['LAST_NAME'],
            'email' => (string) $user['EMAIL'],
            'phone' => (string) (($user['PERSONAL_MOBILE'] ?? '') ?: ($user['PERSONAL_PHONE'] ?? '')),
            'language_id' => (string) ($user['LANGUAGE_ID'] ?? ''),
        ];
    }

    // --- Around it.

    private static function value($property): string
    {
        $value = $property ? $property->getValue() : '';

        return is_scalar($value) ? (string) $value : '';
    }

    /** With its offset: a site's time is that of its server. */
    private static function time($at): string
    {
        return $at ? $at->format('c') : '';
    }

    private static function wanted(string $kind): bool
    {
        if (!self::setting('url') || !self::setting('secret')) {
            return false;
        }

        return $kind === 'order' || self::setting('customers');
    }

    private static function setting(string $name)
    {
        static $settings = null;
        $settings = $settings ?? require __DIR__ . '/settings.php';

        return $settings[$name];
    }

    /** The table and the agent, made by the first event. */
    private static function install(): void
    {
        if (Option::get('vestnik', 'version', '') === self::VERSION) {
            return;
        }
        self::query(
            'CREATE TABLE IF NOT EXISTS b_vestnik_event (EVENT_ID char(32) NOT NULL, KIND varchar(20) NOT NULL, '
            . 'OBJECT_ID int NOT NULL, ACTION varchar(20) NOT NULL, CREATED_AT bigint NOT NULL, NEXT_AT bigint NOT NULL, '
            . 'TRIES int NOT NULL, PRIMARY KEY (EVENT_ID))'
        );
        \CAgent::AddAgent('\Vestnik\Shop::agent();', '', 'N', 300);
        Option::set('vestnik', 'version', self::VERSION);
    }

    private static function query(string $statement): void
    {
        Application::getConnection()->queryExecute($statement);
    }

    /** Words of ours only: nothing that was posted, no address, no key. */
    private static function log(string $problem): void
    {
        AddMessage2Log('Vestnik: ' . $problem, 'vestnik');
    }
}
