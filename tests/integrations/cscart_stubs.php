<?php
/**
 * As much of CS-Cart as the add-on uses, for one request: php cscart_stubs.php < request.json
 *
 * {"db": file, "addon": directory, "settings": {}, "orders": {}, "users": {}, "shipments": {}, "queries": [], "hooks": [[name, arguments…]],
 *  "dispatch": mode, "key": …}
 *
 * The database is SQLite; its file outlives a request, as a shop's does. Statements run as the add-on wrote them.
 */

namespace Tygh {
    class Registry
    {
        public static function get($name)
        {
            $parts = explode('.', $name);

            return $GLOBALS['request']['settings'][end($parts)] ?? null;
        }
    }
}

namespace {
    define('BOOTSTRAP', true);
    error_reporting(E_ALL);
    set_error_handler(static function ($level, $text, $file, $line) {
        throw new ErrorException($text, 0, $level, $file, $line);
    });

    $request = json_decode(stream_get_contents(STDIN), true);
    $database = new PDO('sqlite:' . $request['db']);
    $hooks = [];

    /** Placeholders as the platform has them: ?i a whole number, ?s a text, ?e the columns of an INSERT. */
    function fn_test_query($statement, array $values)
    {
        global $database;

        $statement = preg_replace_callback('/\?([a-z:])/', static function ($found) use (&$values, $database) {
            if ($found[1] === ':') {
                return 'cscart_';
            }
            $value = array_shift($values);
            switch ($found[1]) {
                case 'i':
                    return (string) (int) $value;
                case 's':
                    return $database->quote((string) $value);
                case 'e':
                    $quoted = array_map(static function ($one) use ($database) {
                        return is_int($one) ? (string) $one : $database->quote((string) $one);
                    }, $value);

                    return '(`' . implode('`, `', array_keys($value)) . '`) VALUES (' . implode(', ', $quoted) . ')';
            }
            throw new LogicException('a placeholder that is not stubbed: ' . $found[0]);
        }, $statement);
        if (!empty($GLOBALS['request']['no_database'])) {
            throw new RuntimeException('the database is away');
        }

        return $database->query($statement);
    }

    function db_query($statement, ...$values)
    {
        return fn_test_query($statement, $values)->rowCount();
    }

    function db_get_array($statement, ...$values)
    {
        return fn_test_query($statement, $values)->fetchAll(PDO::FETCH_ASSOC);
    }

    function db_get_row($statement, ...$values)
    {
        return fn_test_query($statement, $values)->fetch(PDO::FETCH_ASSOC) ?: [];
    }

    function db_get_field($statement, ...$values)
    {
        return fn_test_query($statement, $values)->fetchColumn();
    }

    function fn_register_hooks(...$names)
    {
        $GLOBALS['hooks'] = $names;
    }

    function fn_set_hook($name, ...$arguments)
    {
        if (!in_array($name, $GLOBALS['hooks'], true)) {
            throw new LogicException("nobody listens to $name");
        }
        call_user_func_array("fn_vestnik_$name", $arguments);
    }

    function fn_get_order_info($id)
    {
        return $GLOBALS['request']['orders'][$id] ?? false;
    }

    function fn_get_user_info($id, $profile = true)
    {
        return $GLOBALS['request']['users'][$id] ?? false;
    }

    function fn_get_shipments_info(array $params)
    {
        return [$GLOBALS['request']['shipments'][$params['order_id']] ?? [], []];
    }

    function fn_log_event($type, $action, array $data)
    {
        fwrite(STDERR, "logged: {$data['message']}\n");
    }

    function __($name)
    {
        return $name;
    }

    foreach ($request['queries'] ?? [] as $query) {
        db_query($query);
    }
    foreach ($request['orders'] ?? [] as $id => $order) {
        db_query('DELETE FROM ?:orders WHERE order_id = ?i', $id);
        $row = ['order_id' => $id, 'status' => $order['status'], 'is_parent_order' => $order['is_parent_order']];
        db_query('INSERT INTO ?:orders ?e', $row);
    }
    require $request['addon'] . '/init.php';
    require $request['addon'] . '/func.php';

    $request['no_database'] = !empty($request['then_no_database']);
    foreach ($request['hooks'] ?? [] as $hook) {
        fn_set_hook(...$hook);
    }
    echo $request['page'] ?? '';
    if (isset($request['info'])) {
        echo fn_vestnik_info();
    }
    if (isset($request['dispatch'])) {
        $_REQUEST = ['key' => $request['key'] ?? null];
        $mode = $request['dispatch'];
        require $request['addon'] . '/controllers/frontend/vestnik.php';
    }
}
