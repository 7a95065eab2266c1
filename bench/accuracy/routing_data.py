"""
Labelled requests for measuring route selection, written for this project.

Twenty everyday intents, named as in CLINC150 so that the same routes can be measured on that
public set, too (``routing.py --clinc``). Per intent: a description as an operator would write it,
five examples that selectors may be given, and ten requests that they are measured on. Two
thirds of the requests that belong to no intent are far from all of them, one third is near one.
"""

from __future__ import annotations

from typing import NamedTuple


class Intent(NamedTuple):
    """One route and what is asked of it."""

    name: str
    description: str
    examples: tuple[str, ...]
    requests: tuple[str, ...]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _intent(name: str, description: str, examples: str, requests: str) -> Intent:
    return Intent(name, description, _lines(examples), _lines(requests))


INTENTS = (
    _intent(
        "balance",
        "How much money is in a bank account: checking or savings balance.",
        """
        how much money do i have in checking
        show me the balance of my savings
        what's left in my bank account
        do i have over 200 dollars in my account
        tell me my current account balance
        """,
        """
        what is my bank balance right now
        could you look up how much is in my savings account
        how much cash have i got left in the bank
        is there enough in my checking for groceries
        check my account, how much is there
        total of all my accounts please
        i need to know what i have in my chase account
        did my account drop under a hundred dollars
        how many dollars are in the joint account
        account balance?
        """,
    ),
    _intent(
        "transfer",
        "Move money from one bank account to another, or send money to someone.",
        """
        move 50 dollars from savings to checking
        transfer money to my wife's account
        send 100 bucks to tom
        i want to shift funds between my accounts
        please wire 300 to my other bank
        """,
        """
        can you put 20 dollars from checking into savings
        transfer 1000 to account ending 4421
        i'd like to send money to my brother
        shift two hundred from my savings over to the joint account
        move all of my savings to checking
        start a transfer between my two bank accounts
        wire my landlord 750 dollars
        please make a bank transfer for me
        take 40 dollars out of savings and add it to checking
        help me send funds to mary's account
        """,
    ),
    _intent(
        "pay_bill",
        "Pay a bill, such as electricity, phone, rent or a credit card bill.",
        """
        pay my electric bill
        i need to pay the water bill from checking
        settle my phone bill please
        pay this month's cable bill
        make a payment on my credit card bill
        """,
        """
        take care of my gas bill today
        pay the internet bill with my visa
        i want to pay off my phone bill
        can you pay my utilities for me
        schedule the payment of my electricity bill
        let's pay the insurance bill
        please pay my cell bill from savings
        the water bill is here, pay it
        use my checking to pay the rent bill
        pay what i owe on the cable bill
        """,
    ),
    _intent(
        "exchange_rate",
        "Currency exchange rates and converting an amount of one currency to another.",
        """
        how many euros do i get for 100 dollars
        what's the exchange rate of pounds to yen
        convert 20 dollars to pesos
        rate between us and canadian dollars
        how much is a franc worth in dollars
        """,
        """
        what would 50 pounds be in dollars
        dollar to euro rate today
        how many yen are there to a dollar
        if i change 200 euros what do i get in rupees
        tell me the exchange rate for mexico
        is the pound stronger than the euro right now
        500 usd in swiss francs
        what's one bitcoin in dollars
        give me the conversion from won to dollars
        how much is 10 dollars in kroner
        """,
    ),
    _intent(
        "credit_score",
        "What the user's credit score or credit rating is.",
        """
        what is my credit score
        how good is my credit rating
        can you tell me my fico score
        look up my credit score
        i'd like to know my credit rating
        """,
        """
        has my credit score gone up
        how's my credit looking
        find out what my credit score is
        my credit rating please
        is my credit score good or bad
        check my fico
        what number is my credit at
        can i see my credit score from experian
        what's my current credit rating
        do i have a decent credit score
        """,
    ),
    _intent(
        "book_flight",
        "Search for flights and book plane tickets.",
        """
        book a flight from boston to denver
        i need a plane ticket to miami next friday
        find me flights to london under 500 dollars
        get me a round trip to seattle
        i want to fly to paris in may
        """,
        """
        can you find a cheap flight to chicago for tomorrow
        buy two plane tickets to rome
        reserve a seat on a delta flight to atlanta
        i have to fly from austin to new york on monday
        show flights leaving phoenix on march 3
        one way to tokyo please, leaving sunday
        i'd like to book airfare to hawaii
        what flights go from dallas to houston in the morning
        get me on a plane to berlin next week
        help me book a first class flight home to ohio
        """,
    ),
    _intent(
        "lost_luggage",
        "Luggage or bags that were lost or did not arrive after a flight.",
        """
        the airline lost my luggage
        my suitcase did not come out at the airport
        i can't find my bags after my flight
        how do i report a missing suitcase
        where is my lost baggage
        """,
        """
        my bag never showed up on the carousel
        united lost my suitcase, what can i do
        i landed in denver but my luggage didn't
        help me track down my missing bags
        my checked baggage is gone
        they misplaced my luggage on the way to rome
        what do i do when my luggage isn't there after landing
        my suitcase went missing during the layover
        file a claim for lost luggage
        i think the airport has lost my bags
        """,
    ),
    _intent(
        "book_hotel",
        "Find and book a hotel room.",
        """
        book me a hotel room in boston
        i need a place to stay in miami for two nights
        find a hotel near the airport
        reserve a room at the hilton
        get me a hotel with a pool in las vegas
        """,
        """
        can you find me a room in chicago from friday to sunday
        i want to reserve a hotel for my trip to paris
        look for a cheap motel in austin
        book a suite at the marriott downtown
        are there hotels with free breakfast in seattle, book one
        i need accommodation in rome for a week
        get a double room near the stadium
        make a hotel reservation in san diego for tonight
        where can i stay in london next month, book it
        two rooms in orlando for four people please
        """,
    ),
    _intent(
        "car_rental",
        "Rent a car.",
        """
        i need to rent a car in dallas
        find me a rental car for the weekend
        book a rental suv at the airport
        what does it cost to rent a van
        get me a car from hertz for monday
        """,
        """
        reserve a rental car in orlando from the 3rd to the 9th
        i'd like to hire a car while i'm in spain
        can i rent a convertible for two days
        look up car rentals in phoenix
        i want to pick up a rental at the denver airport
        find the cheapest car hire in madrid
        rent me a pickup truck for saturday
        set up a car rental for my trip
        is there an avis where i can get a car
        i need wheels for three days in boston, get me a rental
        """,
    ),
    _intent(
        "weather",
        "Weather now and forecasts: rain, snow, temperature, wind.",
        """
        what's the weather like today
        will it rain tomorrow
        how cold is it outside
        give me the forecast for the weekend
        is it going to snow in denver
        """,
        """
        do i need an umbrella this afternoon
        temperature in boston right now
        how hot will it get on saturday
        weather for new york please
        is it windy out there
        what's the chance of rain tonight
        is it sunny in miami
        tell me the forecast for next week
        should i wear a coat today
        what is the humidity like in houston
        """,
    ),
    _intent(
        "traffic",
        "Road traffic: jams, accidents and delays on the way somewhere.",
        """
        how is traffic on the way to work
        is there a jam on i-95
        any accidents on the highway
        how bad is the traffic downtown
        check the roads to the airport for delays
        """,
        """
        is the freeway backed up right now
        what's traffic like on the bridge
        are there delays on route 66
        will i hit heavy traffic going home
        is the drive to the stadium congested
        any road closures on my commute
        tell me about the traffic in la
        is 405 moving
        has there been a crash on the interstate
        traffic report for the way to dallas please
        """,
    ),
    _intent(
        "restaurant_reservation",
        "Reserve a table at a restaurant.",
        """
        book a table for two at olive garden
        i need a dinner reservation for 7 pm
        reserve a table for five tonight
        make a reservation at the new sushi place
        can you get us a table at mario's on friday
        """,
        """
        get me a reservation at red lobster for six people
        i'd like to reserve a table under the name smith
        book dinner for four at the steak house
        table for three at eight o'clock please
        set up a reservation at carrabba's tomorrow night
        can we get a table at the french place on sunday
        make lunch reservations for ten
        see if the thai restaurant has a table free at noon and book it
        reserve us a booth at denny's
        i want to eat at nobu saturday, make a booking
        """,
    ),
    _intent(
        "recipe",
        "Recipes and how to cook or bake a dish.",
        """
        how do i make lasagna
        give me a recipe for banana bread
        what's a good way to cook salmon
        find a chicken soup recipe
        how do you bake an apple pie
        """,
        """
        i want to cook chili, how do i do it
        recipe for pancakes please
        how is guacamole made
        show me how to prepare a roast
        what do i do to make fried rice
        look up a vegan brownie recipe
        teach me to make tomato sauce from scratch
        what's the best recipe for meatballs
        how can i bake sourdough
        steps for making an omelette
        """,
    ),
    _intent(
        "calories",
        "How many calories are in a food or drink.",
        """
        how many calories are in an apple
        what's the calorie count of a big mac
        calories in a slice of pizza
        how many calories does a beer have
        tell me the calories in a bowl of rice
        """,
        """
        calorie content of scrambled eggs
        does a bagel have a lot of calories
        how many calories will i eat with a cup of yogurt
        number of calories in peanut butter
        are there more than 200 calories in a muffin
        what are the calories of a caesar salad
        how many cals in a coke
        total calories in a chicken sandwich
        check the calories in ice cream for me
        how many calories am i getting from two cookies
        """,
    ),
    _intent(
        "translate",
        "Translate a word or phrase into another language.",
        """
        how do you say hello in french
        translate good night into german
        what is the spanish word for dog
        how would i ask for water in japanese
        say thank you in russian
        """,
        """
        what's the italian word for bread
        how do i say where is the train station in portuguese
        translate i love you to korean
        can you tell me how to say cheese in swedish
        what do people in china say for goodbye
        in greek, how do you say friend
        put this sentence into english: wo ist der bahnhof
        the word for moon in arabic
        how do french people say excuse me
        i need to know how to say help in polish
        """,
    ),
    _intent(
        "definition",
        "The meaning of a word: dictionary definitions.",
        """
        what does ephemeral mean
        define photosynthesis
        give me the definition of justice
        look up the meaning of obtuse
        what's the meaning of the word quixotic
        """,
        """
        can you define serendipity
        what is meant by hyperbole
        tell me what ubiquitous means
        dictionary entry for gregarious
        i don't know what the word laconic means
        meaning of taciturn
        what's the definition of inertia
        explain the word nonchalant
        how would you define freedom
        does pernicious mean harmful, what does it mean
        """,
    ),
    _intent(
        "timer",
        "Set, check or stop a countdown timer.",
        """
        set a timer for ten minutes
        start a 30 second countdown
        how much time is left on my timer
        stop the timer
        i need a timer for the oven, 25 minutes
        """,
        """
        count down from five minutes
        put one hour on the timer
        timer for 90 seconds please
        begin a timer for my laundry, 45 minutes
        cancel my timer
        give me a 15 minute timer
        time me for three minutes
        how long until the timer goes off
        set the kitchen timer to 8 minutes
        can you start a timer
        """,
    ),
    _intent(
        "alarm",
        "Set or change an alarm clock to wake up at some time of day.",
        """
        wake me up at 6 am
        set an alarm for seven tomorrow
        turn off my morning alarm
        change my alarm to 8:30
        i need an alarm on weekdays at 5
        """,
        """
        set my alarm for noon
        make sure i'm up by 7 tomorrow
        add an alarm at 4:45 in the morning
        cancel the alarm for saturday
        can you get me up at nine
        i have to wake up early, alarm at 5:15
        snooze my alarm
        what time is my alarm set for
        create a repeating alarm for monday mornings
        wake me in time for work at half past six
        """,
    ),
    _intent(
        "play_music",
        "Play music: songs, artists, albums, playlists.",
        """
        play some jazz
        put on the new taylor swift album
        i want to hear bohemian rhapsody
        start my workout playlist
        play the beatles
        """,
        """
        can you play something by adele
        let's listen to classic rock
        turn on my chill playlist
        play hotel california
        i'd like to hear some country songs
        shuffle my favorite tracks
        put some mozart on
        play that song from the titanic movie
        start playing drake on spotify
        music please, something relaxing
        """,
    ),
    _intent(
        "pto_request",
        "Ask for vacation days or time off from work.",
        """
        i want to request vacation from may 1 to may 8
        put in a pto request for friday
        i need to take next monday off
        submit my time off for christmas
        request leave from work for my wedding
        """,
        """
        can you ask for three days off for me
        i'd like to use vacation days in july
        please file a day off request for the 12th
        apply for leave starting tuesday
        i need time off from work next week
        enter a vacation request from june 3 to june 10
        i want to be off work on my birthday, request it
        book me as out of office on holiday from the 4th
        help me request paid time off
        get me a week of pto in august
        """,
    ),
)

OUT_OF_SCOPE = _lines(
    """
    who won the world series in 1998
    how tall is mount kilimanjaro
    write a poem about autumn leaves
    why do cats purr
    what's the square root of 2025
    tell me about the french revolution
    is pluto a planet
    fix the null pointer in this function
    how do i train a puppy not to bite
    what is the plot of hamlet
    who painted the starry night
    how far is the moon
    can you recommend a good mystery novel
    explain how vaccines work
    what are the rules of cricket
    my printer says paper jam
    how do i change a bicycle tube
    who is the prime minister of canada
    what's the tallest building in the world
    draft a cover letter for a nursing job
    how many bones are in the human body
    is it safe to mix bleach and vinegar
    who invented the telephone
    what year did the titanic sink
    can dogs see color
    how do i remove a coffee stain from a rug
    write a regular expression for email addresses
    what's the difference between a crocodile and an alligator
    how do i grow tomatoes on a balcony
    what should i get my dad for his birthday
    give me tips for a job interview
    summarize the theory of evolution
    how do i reset my wifi router
    what's a good name for a rabbit
    how old is the universe
    which team plays at anfield
    how do magnets work
    what is the fastest animal on land
    can you proofread my essay
    how do i tie a windsor knot
    who wrote pride and prejudice
    why is the ocean salty
    how do i get better at chess
    tell me about the amazon rainforest
    what's the best way to learn guitar
    how many people live in brazil
    do plants sleep
    what is a black hole
    how do solar panels produce electricity
    who was the first person in space
    what can i do against back pain
    how do i write a resignation letter
    why did the roman empire fall
    which phone has the best camera
    how do i start a podcast
    what's the population of tokyo
    how do i delete my facebook account
    when was the eiffel tower built
    should i repaint my bedroom blue or green
    give me a riddle
    how do i sell a used bicycle
    are electric cars quieter
    what causes earthquakes
    how do i become a firefighter
    explain what an api is
    how long do elephants live
    open a new bank account for me
    what is the interest rate on a mortgage
    where is the closest atm
    i lost my debit card
    how do i dispute a charge on my card
    what documents do i need for a car loan
    how do i raise my credit limit
    which airline has the most legroom
    how heavy may my carry-on be
    do i need a visa for vietnam
    what time zone is hawaii in
    how long is the flight to australia
    which shots do i need before traveling to kenya
    what are fun things to do in barcelona
    how do i change the oil in my car
    what's the tire pressure for a honda civic
    why does my engine make a clicking noise
    how do tornadoes form
    why is the sky red at sunset
    what is a good restaurant for sushi
    how much should i tip a waiter
    is gluten bad for you
    how much protein should i eat a day
    how long does milk keep in the fridge
    can i use butter instead of oil
    how do i learn spanish quickly
    what language is spoken in brazil
    how do you spell necessary
    what is a synonym for happy
    what time is it in london
    what's the date next thursday
    add a dentist appointment to my calendar
    who sings this song
    when does coldplay go on tour
    how many vacation days do i have left
    """
)

PASTED = " ".join(
    _lines(
        """
        Hi team, I wanted to follow up on what we discussed on Tuesday.
        My sister is moving in next month and we are still sorting out the boxes in the hallway.
        The neighbours have been very kind, and the dog is getting used to the garden.
        On Friday the painter came by, looked at the walls and said he would need three more days.
        I also met an old colleague on the way home, and we talked for an hour about school, the
        children and what became of everyone.
        It was raining the whole time.
        The kitchen is nearly finished now, only the lamps are missing, and the floor in the small
        room squeaks.
        Please do not worry about any of that, I only mention it so that you know why I was slow
        to answer last week.
        We hope to see you all when it is done, and there will be soup for everybody who comes.
        """
    )
)
"""What a user might paste around a request, 150 words."""
