// What the rules of CodeNarc for Jenkins must find: each of them is broken at least once.
import com.cloudbees.groovy.cps.NonCPS
import java.util.regex.Matcher

class Broken {

    def steps

    def call(Map config = [:]) {
        Matcher matcher = java.util.regex.Pattern.compile('x').matcher('x')
        sh "echo ${config.name} ${-> 1}"
        [3, 1].sort { a, b -> a <=> b }
        'x'.eachLine { println it }
        matcher.matches()
        nonCps('a')
    }

    @NonCPS
    def nonCps(String text) {
        cps()
    }

    def cps() { sh 'x' }

    String toString() { return 'x' }

    def takesMatcher(Matcher matcher) { return matcher }

}
