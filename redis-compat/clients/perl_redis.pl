#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# Perl's Redis client against a live server: perl_redis.pl PORT
use strict;
use warnings;

use Redis;
use Time::HiRes qw(sleep);

my $port       = $ARGV[0];
my $deadline_s = 30;

sub new_client {
    return Redis->new(
        server        => "127.0.0.1:$port",
        reconnect     => $deadline_s,
        every         => 20_000,
        cnx_timeout   => $deadline_s,
        read_timeout  => $deadline_s,
        write_timeout => $deadline_s,
        @_
    );
}

sub expect {
    my ($condition, $what) = @_;
    die "$what\n" unless $condition;
    return;
}

sub expect_equal {
    my ($got, $want) = map { $_ // '(nothing)' } @_;
    expect($got eq $want, "wanted '$want', got '$got'");
    return;
}

sub expect_error {
    my ($text, $call) = @_;
    my $got = eval { $call->(); 1 };
    expect(!$got,               "wanted an error with '$text', got none");
    expect($@ =~ /\Q$text\E/ms, "wanted '$text' in '$@'");
    return;
}

sub values_check {
    my ($redis) = @_;
    my $every_byte = join(q{}, map { chr } 0 .. 255) x 3;
    expect_equal($redis->ping,            'PONG');
    expect_equal($redis->get('nokey'),    undef);
    expect_equal($redis->set('a', 'text'), 'OK');
    expect_equal($redis->get('a'),        'text');
    expect_equal($redis->set($every_byte, $every_byte), 'OK');
    expect_equal($redis->get($every_byte), $every_byte);
    expect_equal($redis->set('a', '1', 'NX'), undef);
    expect_equal($redis->mset('x', 1, 'y', 2), 'OK');
    expect_equal(join(',', map { $_ // 'none' } $redis->mget('x', 'nokey', 'y')), '1,none,2');
    expect_equal($redis->del('x', 'nokey'), 1);
    return;
}

sub expiry {
    my ($redis) = @_;
    expect_equal($redis->ttl('nokey'), -2);
    $redis->set('a', 1);
    expect_equal($redis->ttl('a'), -1);
    expect_equal($redis->expire('a', 100), 1);
    my $left = $redis->ttl('a');
    expect($left > 60 && $left <= 100, "$left s left");
    $redis->set('a', 2, 'PX', 50);
    my $end = time + $deadline_s;
    while (defined $redis->get('a')) {
        expect(time < $end, 'a key did not expire');
        sleep 0.005;
    }
    return;
}

sub pipelines {
    my ($redis) = @_;
    my (@got, @want, @texts);
    for my $i (0 .. 9_999) {
        my $key = 'key:' . $i % 100;
        $redis->set($key, $i, sub { push @got, $_[0] });
        $redis->get($key, sub { push @got, $_[0] });
        push @want, 'OK', $i;
    }
    $redis->wait_all_responses;
    expect_equal("@got", "@want");
    $redis->set('t', 'x', sub { });
    $redis->incr('t', sub { push @texts, $_[1] });
    $redis->get('t', sub { push @texts, $_[0] });
    $redis->wait_all_responses;
    expect($texts[0] =~ /ERR value is not an integer/ms, "got '$texts[0]'");
    expect_equal($texts[1], 'x');
    return;
}

sub scanning {
    my ($redis) = @_;
    my @users = map {"user:$_"} 0 .. 799;
    $redis->mset(map { ($_, 1) } @users, map {"item:$_"} 0 .. 199);
    my ($cursor, @seen) = (0);
    do {
        ($cursor, my $keys) = $redis->scan($cursor, 'MATCH', 'user:*', 'COUNT', 50);
        push @seen, @{$keys};
    } while ($cursor);
    expect_equal(join(',', sort @seen), join(',', sort @users));
    return;
}

sub errors {
    my ($redis) = @_;
    $redis->set('t', 'text');
    expect_error('ERR value is not an integer or out of range', sub { $redis->incr('t') });
    expect_error('ERR unknown command',                         sub { $redis->nosuch('x') });
    expect_error('wrong number of arguments',                   sub { $redis->get });
    expect_error('DB index is out of range',                    sub { $redis->select(99) });
    expect_equal($redis->get('t'), 'text');
    return;
}

sub connection_state {
    my ($redis) = @_;
    my $other = new_client(name => 'my-app');
    $other->select(5);
    $other->set('a', 'five');
    expect_equal($redis->get('a'), undef);
    expect($redis->client_list =~ /name=my-app .* db=5 /, 'no my-app in database 5');
    expect($redis->info->{redis_version} =~ /^7/ms, 'redis_version');
    $other->quit;
    return;
}

sub transactions {
    my ($redis) = @_;
    expect_equal($redis->multi,          'OK');
    expect_equal($redis->set('a', 1),    'QUEUED');
    expect_equal($redis->incrby('a', 5), 'QUEUED');
    expect_equal($redis->mget('a', 'nokey'), 'QUEUED');
    my @replies = $redis->exec;
    expect_equal("@replies[0, 1] $replies[2][0]", 'OK 6 6');
    expect_equal($replies[2][1],                  undef);
    $redis->multi;
    expect_error('wrong number of arguments', sub { $redis->get });
    expect_error('EXECABORT',                 sub { $redis->exec });
    $redis->multi;
    $redis->set('a', 9);
    expect_equal($redis->discard,  'OK');
    expect_equal($redis->get('a'), 6);

    # Somebody else writes between WATCH and EXEC.
    my $other = new_client();
    expect_equal($redis->watch('a'), 'OK');
    $other->set('a', 7);
    $redis->multi;
    $redis->set('a', 8);
    expect_equal(scalar $redis->exec, undef);
    expect_equal($redis->get('a'),    7);
    $redis->watch('a');
    $other->set('a', 10);
    expect_equal($redis->unwatch, 'OK');
    $redis->multi;
    $redis->get('a');
    expect_equal(join(',', $redis->exec), 10);
    return;
}

sub messages {
    my ($redis) = @_;
    my ($sub, @heard) = (new_client());
    my $hear = sub { push @heard, "$_[2] $_[1] $_[0]" };
    $sub->subscribe('news', $hear);
    $sub->psubscribe('n*', 'user:*', $hear);
    expect_equal($redis->publish('news',   "\0\xff\r\n"), 2);
    expect_equal($redis->publish('user:1', q{}),          1);
    expect_equal($redis->publish('none',   'x'),          1);
    my $end = time + $deadline_s;
    while (@heard < 4) {
        expect(time < $end, 'messages do not come');
        $sub->wait_for_messages(0.05);
    }
    expect_equal(join('|', @heard),
        "news news \0\xff\r\n|n* news \0\xff\r\n|user:* user:1 |n* none x");
    $sub->unsubscribe('news', $hear);
    $sub->punsubscribe('n*', 'user:*', $hear);
    expect_equal($sub->ping,                    'PONG');
    expect_equal($redis->publish('news', 'x'), 0);
    return;
}

sub reconnecting {
    my ($redis) = @_;
    my $victim = new_client();
    my $id     = $victim->client('ID');
    expect_equal($redis->client('KILL', 'ID', $id), 1);
    expect_equal($victim->set('a', 'after'), 'OK');
    expect($victim->client('ID') > $id, 'the same connection');
    expect_equal($redis->get('a'), 'after');
    return;
}

my $redis  = new_client();
my @checks = (
    [values           => \&values_check],
    [expiry           => \&expiry],
    [pipelines        => \&pipelines],
    [scanning         => \&scanning],
    [errors           => \&errors],
    [connection_state => \&connection_state],
    [transactions     => \&transactions],
    [messages         => \&messages],
    [reconnecting     => \&reconnecting],
);
for my $check (@checks) {
    my ($name, $run) = @{$check};
    $redis->flushall;
    $run->($redis);
    print "  $name\n";
}
print 'Perl Redis ', Redis->VERSION, ': ', scalar @checks, " checks\n";
