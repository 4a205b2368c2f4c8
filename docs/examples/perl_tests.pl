#!/usr/bin/perl
# A program for `services[].tests` (contract greenlane.tests/1): runs the test files t/*.t of a Perl project and says
# which lines they ran. It needs nothing but Perl itself. It writes no tests.
#
#   tests: {kind: command, command: /opt/greenlane/perl_tests.pl, sources: ["lib/**/*.pm"]}
#   tests_dir: t
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;

my $asked = decode_json(do { local $/; <STDIN> });
die "this is not greenlane.tests/1\n" unless $asked->{contract} eq 'greenlane.tests/1';
my $answer = { contract => $asked->{contract} };
if ($asked->{call} eq 'run') { run_tests($asked, $answer) }
elsif ($asked->{call} eq 'write') { $answer->{files} = [] }
else { die "there is no call $asked->{call}\n" }
print JSON::PP->new->canonical->encode($answer);

sub run_tests {
    my ($asked, $answer) = @_;
    my @files = @{ $asked->{select} } ? @{ $asked->{select} } : glob('t/*.t');
    @files = reverse @files if $asked->{order} eq 'reverse';
    my (@tests, %seen);
    my $passed = 1;
    for my $file (@files) {
        my ($code, $out) = traced($file, \%seen);
        my ($planned, $count, $wrong) = (undef, 0, 0);
        for (split /\n/, $out) {
            if (/^1\.\.(\d+)/) { $planned = $1 }
            next unless /^(not )?ok\b\s*\d*\s*(?:-\s*)?(.*)$/;
            my ($failed, $name) = (defined $1, $2);
            my $skipped = $name =~ s/\s*#\s*(?:skip|todo)\b.*//i;
            $count++;
            push @tests, {
                path => $file, name => length $name ? $name : "test $count",
                outcome => $skipped ? 'skipped' : $failed ? 'failed' : 'passed', detail => $failed ? $out : '',
            };
            $wrong++ if $failed && !$skipped;
        }
        $passed = 0 if $wrong || $code;
        if (($code && !$wrong) || !defined $planned || $planned != $count) {
            $passed = 0;
            my $why = "it ended with $code after $count tests\n$out";
            push @tests, { path => $file, name => '(the whole file)', outcome => 'failed', detail => $why };
        }
    }
    for my $source (@{ $asked->{sources} }) {    # those that no test loads: which lines could run?
        traced($source, \%seen, 1) unless $seen{$source};
    }
    $answer->{passed} = $passed ? JSON::PP::true : JSON::PP::false;
    $answer->{tests} = \@tests;
    $answer->{files} = [ map { lines_of($_, $seen{$_}) } grep { $seen{$_} } @{ $asked->{sources} } ];
}

sub lines_of {
    my ($path, $seen) = @_;
    my @lines = sort { $a <=> $b } keys %$seen;
    return { path => $path, executable => [map { $_ + 0 } @lines], covered => [map { $_ + 0 } grep { $seen->{$_} } @lines] };
}

# Run one file under Perl's debugger hooks: DB::DB is called before each statement. What it saw is added to %$seen.
sub traced {
    my ($file, $seen, $load_only) = @_;
    my $log = "/tmp/trace.$$";
    local $ENV{TRACE_LOG} = $log;
    local $ENV{PERL5DB} = <<'TRACE';
package DB;
our %ran;
sub DB { my (undef, $f, $l) = caller; $ran{$f}{$l} = 1 }
sub sub { no strict 'refs'; &$DB::sub }
END {
    $DB::single = $DB::trace = 0;
    open(my $out, '>', $ENV{TRACE_LOG}) or die;
    no strict 'refs';
    for my $glob (grep { s/^_<// } keys %main::) {
        my $lines = \@{"main::_<$glob"};
        for my $n (1 .. $#$lines) {
            no warnings;
            print $out "$glob\t$n\t", ($ran{$glob}{$n} ? 1 : 0), "\n" if $lines->[$n] != 0 && $lines->[$n] !~ /^\s*1;\s*$/;
        }
    }
    close $out;
}
$DB::trace = 1;
1;
TRACE
    $ENV{PERL5DB} =~ s/\n/ /g;
    my @words = $load_only ? ('-Ilib', '-d', '-e', "require './$file'; 1") : ('-Ilib', '-d', $file);
    my $pid = open(my $pipe, '-|') // die "no process: $!\n";
    if (!$pid) { open(STDERR, '>&', \*STDOUT); open(STDIN, '<', '/dev/null'); exec($^X, @words) or exit 127 }
    my $out = do { local $/; <$pipe> } // '';
    close $pipe;
    my $code = $? >> 8 || $? & 127;
    my $root = abs_path('.');
    if (open(my $trace, '<', $log)) {
        while (<$trace>) {
            chomp;
            my ($path, $line, $ran) = split /\t/;
            $path = abs_path($path) // next;
            next unless $path =~ s{^\Q$root\E/}{};
            $seen->{$path}{$line} ||= $load_only ? 0 : $ran;
        }
        close $trace;
        unlink $log;
    }
    return ($code, $out);
}
