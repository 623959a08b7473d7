<?php
/**
 * As much of 1C-Bitrix as the script uses, for one request: php bitrix_stubs.php < request.json
 *
 * {"db": file, "script": directory, "orders": {}, "users": {}, "save": [[order, is new]], "users_saved": [[handler, fields]], "agent": true}
 *
 * The database is SQLite; its file outlives a request, as a site's does. Statements run as the script wrote them.
 */

namespace Bitrix\Main {
    class Application
    {
        public static function getConnection()
        {
            static $connection = null;

            return $connection = $connection ?? new \Connection($GLOBALS['request']['db']);
        }
    }

    class Loader
    {
        public static function includeModule($name)
        {
            return $name === 'sale';
        }
    }

    class Event
    {
        private $parameters;

        public function __construct(array $parameters)
        {
            $this->parameters = $parameters;
        }

        public function getParameter($name)
        {
            return $this->parameters[$name] ?? null;
        }
    }

    class EventManager
    {
        public $handlers = [];

        public static function getInstance()
        {
            static $manager = null;

            return $manager = $manager ?? new self();
        }

        public function addEventHandler($module, $event, callable $handler)
        {
            $this->handlers["$module:$event"] = $handler;
        }

        public function addEventHandlerCompatible($module, $event, callable $handler)
        {
            $this->handlers["$module:$event"] = $handler;
        }
    }
}

namespace Bitrix\Main\Config {
    class Option
    {
        public static function get($module, $name, $default)
        {
            $file = $GLOBALS['request']['db'] . '.options';
            $kept = is_file($file) ? json_decode(file_get_contents($file), true) : [];

            return $kept["$module:$name"] ?? $default;
        }

        public static function set($module, $name, $value)
        {
            file_put_contents($GLOBALS['request']['db'] . '.options', json_encode(["$module:$name" => $value]));
        }
    }
}

namespace Bitrix\Sale {
    /** What the real entities have in common, for all of them: named fields, and lists in lists. */
    class Entity implements \IteratorAggregate
    {
        protected $fields;

        public function __construct(array $fields)
        {
            $this->fields = $fields;
        }

        public function getIterator(): \Iterator
        {
            foreach ($this->fields as $field) {
                yield new self($field);
            }
        }

        public function __call($name, array $arguments)
        {
            $got = lcfirst(preg_replace('/^(get|is)/', '', $name));
            if ($got === 'field') {
                return $this->fields[$arguments[0]] ?? null;
            }
            if (!array_key_exists($got, $this->fields)) {
                throw new \LogicException("nothing is stubbed for $name");
            }

            return $this->fields[$got];
        }
    }

    class Order extends Entity
    {
        public static function load($id)
        {
            $given = $GLOBALS['request']['orders'][$id] ?? null;
            if ($given === null) {
                return null;
            }
            foreach (['DATE_INSERT'] as $time) {
                $given[$time] = new \DateTime($given[$time]);
            }

            return new self($given);
        }

        public function getPropertyCollection()
        {
            return new Properties($this->fields['properties']);
        }

        public function getBasket()
        {
            return new Basket($this->fields['basket']);
        }

        public function getShipmentCollection()
        {
            return new Entity($this->fields['shipments']);
        }
    }

    class Properties extends Entity
    {
        public function __call($name, array $arguments)
        {
            $codes = ['getPayerName' => 'FIO', 'getUserEmail' => 'EMAIL', 'getPhone' => 'PHONE', 'getAddress' => 'ADDRESS'];
            foreach ($this->fields as $property) {
                if ($property['CODE'] === ($codes[$name] ?? '')) {
                    return new Entity($property);
                }
            }

            // As the real one says that an order has no such property.
            return null;
        }
    }

    class Basket extends Entity
    {
        public function getBasketItems()
        {
            return array_map(static function ($item) {
                return new BasketItem($item);
            }, $this->fields);
        }
    }

    class BasketItem extends Entity
    {
        public function getPropertyCollection()
        {
            return new Entity(['propertyValues' => $this->fields['properties']]);
        }
    }
}

namespace {
    error_reporting(E_ALL);
    set_error_handler(static function ($level, $text, $file, $line) {
        throw new ErrorException($text, 0, $level, $file, $line);
    });
    $request = json_decode(stream_get_contents(STDIN), true);

    class Connection
    {
        private $database;
        private $affected = 0;

        public function __construct($file)
        {
            $this->database = new PDO("sqlite:$file");
        }

        public function queryExecute($statement)
        {
            $this->query($statement);
        }

        public function query($statement)
        {
            if (!empty($GLOBALS['request']['no_database'])) {
                throw new RuntimeException('the database is away');
            }
            $done = $this->database->query($statement);
            $this->affected = $done->rowCount();

            return new Rows($done->fetchAll(PDO::FETCH_ASSOC));
        }

        public function getAffectedRowsCount()
        {
            return $this->affected;
        }

        public function getSqlHelper()
        {
            return $this;
        }

        public function prepareInsert($table, array $fields)
        {
            $values = array_map(function ($value) {
                return is_int($value) ? (string) $value : $this->database->quote($value);
            }, $fields);

            return [implode(', ', array_keys($fields)), implode(', ', $values)];
        }
    }

    class Rows
    {
        private $rows;

        public function __construct(array $rows)
        {
            $this->rows = $rows;
        }

        public function fetch()
        {
            return array_shift($this->rows) ?? false;
        }

        public function fetchAll()
        {
            return $this->rows;
        }
    }

    class CAgent
    {
        public static function AddAgent($name, $module, $period, $interval)
        {
            fwrite(STDERR, "agent: $name every $interval\n");
        }
    }

    class CUser
    {
        private $row;

        public static function GetByID($id)
        {
            $found = new self();
            $found->row = $GLOBALS['request']['users'][$id] ?? false;

            return $found;
        }

        public function Fetch()
        {
            return $this->row;
        }

        public static function GetUserGroup($id)
        {
            return $GLOBALS['request']['users'][$id]['groups'];
        }
    }

    function AddMessage2Log($text, $module)
    {
        fwrite(STDERR, "logged: $text\n");
    }

    require $request['script'] . '/vestnik.php';
    \Vestnik\Shop::listen();
    $handlers = \Bitrix\Main\EventManager::getInstance()->handlers;
    foreach ($request['save'] ?? [] as [$id, $new]) {
        $entity = new \Bitrix\Sale\Entity(['id' => $id]);
        $handlers['sale:OnSaleOrderSaved'](new \Bitrix\Main\Event(['ENTITY' => $entity, 'IS_NEW' => $new, 'VALUES' => []]));
    }
    foreach ($request['users_saved'] ?? [] as [$event, $fields]) {
        // As the platform does with its older events: by reference.
        call_user_func_array($handlers["main:$event"], [&$fields]);
    }
    echo $request['page'] ?? '';
    if (!empty($request['agent'])) {
        echo \Vestnik\Shop::agent();
    }
    if (!empty($request['ping'])) {
        echo \Vestnik\Shop::ping();
    }
}
